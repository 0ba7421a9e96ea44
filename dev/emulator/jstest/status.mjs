// A person's visit to the app's page, in headless Chromium. PHASE says what is to be seen
// there; with SCREENSHOTS, the folder gets a picture of each page.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const { PAGE, PHASE, EMULATOR, SCREENSHOTS } = process.env;
const executablePath = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((p) => p && existsSync(p));
assert.ok(executablePath, "Chromium is not installed: apt-get install chromium, or set CHROMIUM");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const origin = new URL(PAGE).origin;
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const wrong = [];

// open opens a page that notes each error and each request that leaves the site.
async function open(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on("console", (m) => {
    const told = PHASE === "broken" && m.text().includes("status of 503"); // the browser's own words for a page that says why it isn't there
    if (m.type() === "error" && !told) wrong.push(`${page.url()}: ${m.text()}`);
  });
  page.on("pageerror", (e) => wrong.push(`${page.url()}: ${e.message}`));
  page.on("request", (r) => {
    const url = new URL(r.url());
    if (url.protocol !== "data:" && url.origin !== origin && url.origin !== EMULATOR) wrong.push(`${r.url()} leaves the site`);
  });
  return page;
}

// accessible looks at a page as it is, with nothing folded.
async function accessible(page, where) {
  await page.evaluate(() => document.querySelectorAll("details").forEach((d) => (d.open = true)));
  const found = await page.evaluate(`${axe}; axe.run()`);
  assert.deepEqual(found.violations.map((v) => `${where}: ${v.id}: ${v.nodes.map((n) => n.html).join(" | ")}`), []);
}

// everyPage goes to each page of the site on each kind of screen.
async function everyPage() {
  const screens = { desktop: { width: 1280, height: 900 }, phone: { width: 360, height: 740 } };
  await Promise.all(Object.entries(screens).map(async ([screen, viewport]) => {
    for (const colorScheme of ["light", "dark"]) {
      const page = await open({ viewport, colorScheme });
      await page.goto(PAGE);
      const links = await page.locator("tbody th a").evaluateAll((all) => all.map((a) => a.href));
      for (const at of [PAGE, `${PAGE}/dead-letters`, `${PAGE}/timeline`, ...links]) {
        await page.goto(at);
        const where = `${PHASE}, ${screen}, ${colorScheme}, ${at.slice(PAGE.length)}`;
        if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/${where.replaceAll(/[^a-z0-9]+/g, "-")}.png`, fullPage: true });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(wide <= viewport.width, `${where}: it is ${wide} wide`);
        await accessible(page, where);
      }
      await page.context().close();
    }
  }));
}

// replayed plays what a person does with a dead letter, with JavaScript and without it.
async function replayed(javaScriptEnabled, came) {
  const page = await open({ javaScriptEnabled });
  await page.goto(PAGE);
  await page.getByRole("link", { name: "Dead letters" }).first().click();
  await page.getByRole("heading", { name: "Dead letters" }).waitFor();
  await page.getByText("Malformed notification").waitFor();
  await page.getByText("The message", { exact: true }).click();
  await page.getByText("from nowhere").waitFor();
  await page.getByRole("button", { name: /^Replay/ }).click();
  await page.getByText("on the queue again").waitFor();
  for (let i = 0; ; i++) { // the app can't understand it this time either, and keeps it again
    await page.goto(`${PAGE}/dead-letters`);
    if (await page.getByRole("button", { name: /^Replay/ }).count()) break;
    assert.ok(i < 100, "the message does not come back");
    await page.waitForTimeout(100);
  }
  await page.context().close();
}

try {
  if (PHASE !== "act") await everyPage();
  if (PHASE === "empty") {
    const page = await open({});
    await page.goto(PAGE);
    await page.getByText("Nothing is here yet").waitFor();
  }
  if (PHASE === "busy") {
    const page = await open({});
    await page.goto(PAGE);
    await page.getByText("underway").first().waitFor();
    await page.getByText("proven").first().waitFor();
    await page.getByRole("link", { name: "Emulator" }).click();
    await page.getByRole("link", { name: "The app's page" }).click();
    await page.getByRole("link", { name: "Kitchen", exact: true }).click();
    await page.getByRole("heading", { name: "Kitchen", exact: true }).waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter"); // to the content
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: /^Download ONNX of/ }).first().click()]);
    assert.match(download.suggestedFilename(), /^Kitchen-.*ONNX.*\.zip$/);
    assert.equal(readFileSync(await download.path()).subarray(0, 2).toString(), "PK");
  }
  if (PHASE === "broken") {
    const page = await open({});
    await page.goto(PAGE);
    await page.getByText("What the state holds is not shown").waitFor();
  }
  if (PHASE === "act") {
    await replayed(true);
    await replayed(false);
    const page = await open({});
    await page.goto(`${PAGE}/dead-letters`);
    await page.getByText("Drop …").click();
    await page.getByRole("button", { name: /^Drop it for good/ }).click();
    await page.getByText("The dead letter is dropped").waitFor();
    await page.getByText("There are no dead letters").waitFor();
  }
  assert.deepEqual(wrong, []);
  console.log(PHASE + " seen");
} finally {
  await browser.close();
}
