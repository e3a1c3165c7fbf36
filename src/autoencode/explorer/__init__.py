"""The explorer: a web page that shows trained models and runs their networks in the browser."""
