// A person's visit to the emulator's page, in headless Chromium.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const executablePath = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((p) => p && existsSync(p));
assert.ok(executablePath, "Chromium is not installed: apt-get install chromium, or set CHROMIUM");
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(15_000);
  const wrong = [];
  page.on("console", (m) => m.type() === "error" && wrong.push(m.text()));
  page.on("pageerror", (e) => wrong.push(e.message));
  const press = (name) => page.getByRole("button", { name, exact: true }).click();
  const seen = (text) => page.getByText(text, { exact: true }).first().waitFor();

  const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  const accessible = async (where) => {
    const found = await page.evaluate(`${axe}; axe.run()`);
    assert.deepEqual(found.violations.map((v) => `${where}: ${v.id}: ${v.nodes.map((n) => n.html).join(" | ")}`), []);
  };

  await page.goto(process.env.ENDPOINT + "/");
  await page.getByText("None yet.").waitFor();
  await page.getByText("New project").click();
  await page.getByLabel("name", { exact: true }).fill("<b>Bottles</b>");
  assert.match(await page.getByLabel("notificationQueueUri").inputValue(), /customvision-notifications$/, "a new project comes connected");
  await page.getByLabel("notificationQueueUri").fill(process.env.QUEUE_URI);
  await page.getByLabel("exportModelContainerUri").fill("");
  await press("Create");
  await seen("<b>Bottles</b>");
  assert.equal(await page.getByText("Succeeded").count(), 0, "a project that isn't imported has no success");
  await seen("ConnectionTest");

  await press("Train");
  await seen("Training");
  await press("Finish");
  await seen("Completed");
  await page.getByText('"trainingStatus":"TrainingCompleted"').waitFor();

  await page.getByLabel("platform", { exact: true }).selectOption("TensorFlow");
  await page.getByLabel("flavor", { exact: true }).fill("TensorFlowLite");
  await press("Export");
  await page.getByText("TensorFlow TensorFlowLite:").waitFor();
  await press("Fail");
  await seen("Failed");
  await page.getByText('"exportStatus":"ExportFailed"').waitFor();

  await press("Fail the next training");
  await page.getByText("To come: 1 failing training", { exact: true }).waitFor();
  await press("Train");
  await press("Finish everything now");
  await page.getByText('"trainingStatus":"TrainingFailed"').waitFor();

  await page.getByText("What is not known of the real service").click();
  await page.getByLabel("iteration-order").selectOption("newest-first");
  await press("Set");
  await page.getByText("1 spoilt notification").waitFor();
  await page.getByText("in the archive: proven").waitFor();
  await page.getByText("Requests received").click();
  await accessible("wide");
  await page.emulateMedia({ colorScheme: "dark" });
  await accessible("dark");

  await page.setViewportSize({ width: 360, height: 740 }); // a phone
  await page.emulateMedia({ colorScheme: "light" });
  await page.reload();
  await page.getByText("TensorFlow TensorFlowLite:").waitFor();
  assert.equal(await page.locator("#folded").evaluate((d) => d.open), false, "messages are folded");
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360, "nothing is wider than the screen");
  const cut = await page.locator(".scroll").evaluateAll((all) => all.filter((e) => e.scrollWidth > e.clientWidth).length);
  assert.equal(cut, 0, "exports are not cut");
  await accessible("phone");
  if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT, fullPage: true });
  assert.deepEqual(wrong, []);
  console.log("a visit");
} finally {
  await browser.close();
}
