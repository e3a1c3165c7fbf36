"""One small module for each figure that several models share.

As those beside it, of one mapping from the models' names to what is looked at of each.
"""
