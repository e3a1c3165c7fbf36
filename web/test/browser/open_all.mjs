// Opens pages and moves the cursor over each plane: node open_all.mjs FILE.html ...; prints {file: faults}.
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
});
const found = {};
for (const file of process.argv.slice(2)) {
  const page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 1000 });
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("request", (request) => /^(file|data|blob):/.test(request.url()) || faults.push(request.url()));
  await page.goto(pathToFileURL(resolve(file)).href);
  await page.waitForFunction("document.documentElement.dataset.ready || document.querySelector('.failed')");
  const failed = await page.$eval("body", (body) => body.querySelector(".failed, .warning")?.textContent ?? "");
  if (failed) faults.push(failed);
  const before = await page.$eval(".inspector", (element) => element.textContent);
  const box = await (await page.$(".plane"))?.boundingBox();
  if (box) await page.mouse.move(box.x + box.width * 0.2, box.y + box.height * 0.7, { steps: 3 });
  const blank = await page.$eval(".inspector canvas", (canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return data.every((value) => value === 0);
  });
  if (blank) faults.push("nothing is decoded");
  if (before === (await page.$eval(".inspector", (element) => element.textContent))) faults.push("the cursor has no effect");
  found[basename(file, ".html")] = faults;
  await page.close();
}
await browser.close();
console.log(JSON.stringify(found));
