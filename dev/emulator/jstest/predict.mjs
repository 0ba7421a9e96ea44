// Predictions by Microsoft's own JavaScript client, which speaks v3.1, of a model that
// the training client published. client_test.go runs it.
import assert from "node:assert/strict";
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import prediction from "@azure/cognitiveservices-customvision-prediction";
import training from "@azure/cognitiveservices-customvision-training";
import msRest from "@azure/ms-rest-js";

const { ENDPOINT, KEY, PROJECT, PICTURE_URL, KIND: kind } = process.env;
const published = "my model";
const credentials = (header) => new msRest.ApiKeyCredentials({ inHeader: { [header]: KEY } });
const client = new prediction.PredictionAPIClient(credentials("Prediction-key"), ENDPOINT, { noRetryPolicy: true });
const trainer = new training.TrainingAPIClient(credentials("Training-key"), ENDPOINT, { noRetryPolicy: true });

const picture = Buffer.from(await (await fetch(PICTURE_URL)).arrayBuffer());
const folder = mkdtempSync(join(tmpdir(), "picture-"));
const file = join(folder, "my cat.png");
writeFileSync(file, picture);
const stream = () => createReadStream(file);
const options = { application: "js" };
const sent = kind === "classify"
  ? [client.classifyImage(PROJECT, published, stream, options), client.classifyImage(PROJECT, published, picture, options),
    client.classifyImageWithNoStore(PROJECT, published, stream), client.classifyImageUrl(PROJECT, published, { url: PICTURE_URL }, options),
    client.classifyImageUrlWithNoStore(PROJECT, published, { url: PICTURE_URL })]
  : [client.detectImage(PROJECT, published, stream, options), client.detectImage(PROJECT, published, picture, options),
    client.detectImageWithNoStore(PROJECT, published, stream), client.detectImageUrl(PROJECT, published, { url: PICTURE_URL }, options),
    client.detectImageUrlWithNoStore(PROJECT, published, { url: PICTURE_URL })];
const [named, ...others] = await Promise.all(sent);
rmSync(folder, { recursive: true });

assert.equal(named.project, PROJECT);
assert.ok(named.created instanceof Date);
assert.equal(named.predictions[0].tagName, "cat");
assert.equal(named.predictions[0].probability, 0.97, "the rule for names with cat");
assert.equal(named.predictions[0].tagType, "Regular");
assert.equal(named.predictions[0].boundingBox !== undefined, kind === "detect");
assert.deepEqual(others[0].predictions, others[2].predictions, "the same picture without such a name");
assert.deepEqual(others[1].predictions, named.predictions);

const query = await trainer.queryPredictions(PROJECT, { application: "js", orderBy: "Oldest" });
assert.equal(query.results.length, 3);
assert.deepEqual(new Set(query.results.map((r) => r.id)), new Set([named.id, others[0].id, others[2].id]));
await trainer.deletePrediction(PROJECT, query.results.map((r) => r.id));
assert.equal((await trainer.queryPredictions(PROJECT, { application: "js" })).results.length, 0);

const wrong = kind === "classify" ? client.detectImage(PROJECT, published, picture) : client.classifyImage(PROJECT, published, picture);
await assert.rejects(wrong, (e) => e.statusCode === 400 && e.code === "BadRequestUnsupportedDomain");
console.log("predicted");
