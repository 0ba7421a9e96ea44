// A model's whole life by Microsoft's own JavaScript client, which speaks
// v3.4-preview. client_test.go runs it and checks what it left on the queue.
import assert from "node:assert/strict";
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import training from "@azure/cognitiveservices-customvision-training";
import msRest from "@azure/ms-rest-js";

const { ENDPOINT, KEY, CONTAINER_URI, QUEUE_URI, AN_HOUR_LATER } = process.env;
const predictionId = "/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/a";
const connect = (key) => new training.TrainingAPIClient(
  new msRest.ApiKeyCredentials({ inHeader: { "Training-key": key } }), ENDPOINT, { noRetryPolicy: true });
const client = connect(KEY);

// later lets an hour pass in the service, and asks.
async function later(ask) {
  assert.equal((await fetch(AN_HOUR_LATER)).status, 200);
  return ask();
}

// picture is a 1x1 bitmap, another one for every colour.
function picture(colour) {
  const b = Buffer.alloc(58);
  b.write("BM"); b.writeUInt32LE(58, 2); b.writeUInt32LE(54, 10); b.writeUInt32LE(40, 14);
  b.writeInt32LE(1, 18); b.writeInt32LE(1, 22); b.writeUInt16LE(1, 26); b.writeUInt16LE(24, 28);
  b.writeUInt32LE(colour, 54);
  return b;
}

// refused expects an error of the service.
const refused = (promise, statusCode, code) => assert.rejects(promise, (e) => {
  assert.equal(e.statusCode, statusCode);
  assert.equal(e.code, code);
  return true;
});

await refused(connect("wrong").getProjects(), 401, "401");

const domain = (await client.getDomains()).find((d) => d.type === "Classification" && d.exportable);
assert.ok(domain.exportablePlatforms.includes("ONNX"));
assert.equal((await client.getDomain(domain.id)).name, domain.name);

const created = await client.createProject("my project é&", {
  description: "a b", domainId: domain.id, classificationType: "Multiclass", targetExportPlatforms: ["CoreML", "ONNX"],
  options: { exportModelContainerUri: CONTAINER_URI, notificationQueueUri: QUEUE_URI },
});
const project = await client.getProject(created.id);
assert.equal(project.name, "my project é&");
assert.equal(project.settings.exportModelContainerUri, CONTAINER_URI);
assert.equal(project.settings.notificationQueueUri, QUEUE_URI);
assert.deepEqual(project.settings.targetExportPlatforms, ["CoreML", "ONNX"]);
assert.ok(project.created instanceof Date && !Number.isNaN(project.created.valueOf()));
const renamed = await client.updateProject(project.id, { name: "renamed", description: "c", settings: { domainId: domain.id } });
assert.equal(renamed.name, "renamed");
assert.equal(renamed.settings.notificationQueueUri, QUEUE_URI, "this client can't send it, and it is kept");

const cat = await client.createTag(project.id, "cat", { description: "x" });
const dog = await client.createTag(project.id, "dog");
assert.equal(dog.type, "Regular");
assert.equal((await client.getTags(project.id)).length, 2);
await refused(client.trainProject(project.id), 400, "BadRequestMultiClassClassificationTrainingValidationFailed");

const files = await client.createImagesFromFiles(project.id, {
  images: [1, 2, 3, 4, 5].map((n) => ({ name: `${n}.bmp`, contents: picture(n), tagIds: [cat.id] })), metadata: { from: "here" },
});
assert.equal(files.isBatchSuccessful, true);
assert.equal(files.images[0].image.width, 1);
const again = await client.createImagesFromFiles(project.id, { images: [{ name: "1.bmp", contents: picture(1) }] });
assert.equal(again.images[0].status, "OKDuplicate");
for (const n of [11, 12, 13, 14]) {
  const one = await client.createImagesFromData(project.id, picture(n), { tagIds: [dog.id] });
  assert.equal(one.images[0].status, "OK");
}
const folder = mkdtempSync(join(tmpdir(), "picture-"));
writeFileSync(join(folder, "15.bmp"), picture(15));
const streamed = await client.createImagesFromData(project.id, () => createReadStream(join(folder, "15.bmp")), { tagIds: [dog.id] });
rmSync(folder, { recursive: true });
assert.equal(streamed.images[0].sourceUrl, "15.bmp");
assert.equal((await client.getImageCount(project.id)).body, 10);
assert.equal((await client.getTaggedImages(project.id, { tagIds: [dog.id], take: 3 })).length, 3);

let iteration = await client.trainProject(project.id);
assert.equal(iteration.status, "Training");
await refused(client.trainProject(project.id), 400, "BadRequestTrainingAlreadyInProgress");
iteration = await later(() => client.getIteration(project.id, iteration.id));
assert.equal(iteration.status, "Completed");
assert.equal(iteration.exportable, true);
assert.ok(iteration.trainedAt instanceof Date);
assert.equal((await client.getIterations(project.id)).length, 1);
await refused(client.trainProject(project.id), 400, "BadRequestTrainingNotNeeded");
assert.equal((await client.updateIteration(project.id, iteration.id, { name: "best" })).name, "best");

const performance = await client.getIterationPerformance(project.id, iteration.id, { threshold: 0.9 });
assert.equal(performance.perTagPerformance.length, 2);
assert.ok(performance.precision > 0 && performance.precision <= 1);
assert.equal((await client.getImagePerformanceCount(project.id, iteration.id)).body, 10);
assert.equal((await client.getImagePerformances(project.id, iteration.id, { take: 2 })).length, 2);

assert.equal((await client.exportIteration(project.id, iteration.id, "ONNX")).status, "Exporting");
assert.equal((await client.exportIteration(project.id, iteration.id, "DockerFile", { flavor: "Linux" })).flavor, "Linux");
await refused(client.exportIteration(project.id, iteration.id, "ONNX"), 400, "BadRequestExportAlreadyInProgress");
const exports = await later(() => client.getExports(project.id, iteration.id));
assert.deepEqual(exports.map((e) => e.status), ["Done", "Done"]);
for (const e of exports) {
  const response = await fetch(e.downloadUri);
  assert.equal(response.status, 200);
  assert.equal(Buffer.from(await response.arrayBuffer()).toString("latin1", 0, 2), "PK");
}

assert.equal((await client.publishIteration(project.id, iteration.id, "prod v1", predictionId)).body, true);
assert.equal((await client.getIteration(project.id, iteration.id)).publishName, "prod v1");
await refused(client.deleteIteration(project.id, iteration.id), 400, "BadRequestIterationIsPublished");
await client.unpublishIteration(project.id, iteration.id);

const { token } = await client.exportProject(project.id);
const copy = await client.importProject(token, { name: "copy" });
assert.equal(copy.status, "Importing");
assert.equal((await later(() => client.getProject(copy.id))).status, "Succeeded");
assert.equal((await client.getTags(copy.id)).length, 2);

await client.deleteIteration(project.id, iteration.id);
await client.deleteImages(project.id, { allImages: true });
await client.deleteTag(project.id, cat.id);
await client.deleteProject(project.id);
await client.deleteProject(copy.id);
await refused(client.getProject(project.id), 404, "NotFoundProject");
assert.deepEqual(Array.from(await client.getProjects()), []);
console.log("a whole life");
