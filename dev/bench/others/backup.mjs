// What a person might write by hand in Node.js, with nothing but its own library: for each
// message it asks which exports the iteration has, and lets the storage service copy those
// that are done. It proves nothing, and copies again with each message, or, with the
// argument "careful", what isn't there yet.
import { createServer } from "node:http";

const once = process.argv[2] === "careful" ? { "if-none-match": "*" } : {};
const { CUSTOMVISION_ENDPOINT: service, CUSTOMVISION_KEY: key, ARCHIVE_URL: archive } = process.env;

async function backUp({ projectId: project, iterationId: iteration }) {
  const path = `projects/${project}/iterations/${iteration}/export`;
  const listed = await fetch(`${service}/customvision/v3.3/training/${path}`, { headers: { "Training-Key": key } });
  if (!listed.ok) throw new Error(`the exports can't be listed: ${listed.status}`);
  for (const { platform, status, downloadUri } of await listed.json()) {
    if (status !== "Done") continue;
    const to = archive.replace("?", `/${project}/${iteration}/${platform}.zip?`);
    const copied = await fetch(to, { method: "PUT", headers: { "x-ms-copy-source": downloadUri, "x-ms-requires-sync": "true", "x-ms-version": "2021-08-06", ...once } });
    if (!copied.ok && copied.status !== 409) throw new Error(`${platform} can't be copied: ${copied.status}`);
  }
}

createServer((request, answer) => {
  if (request.method === "GET") return answer.end();
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", async () => {
    try {
      const text = Buffer.from(JSON.parse(Buffer.concat(parts)).Data.message, "base64").toString();
      await backUp(JSON.parse(text).Content);
    } catch (error) {
      console.error(error.message);
      answer.statusCode = 500;
    }
    answer.setHeader("Content-Type", "application/json");
    answer.end("{}");
  });
}).listen(process.env.FUNCTIONS_CUSTOMHANDLER_PORT, "127.0.0.1");
