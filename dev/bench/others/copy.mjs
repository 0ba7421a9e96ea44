// Copies a blob through this process, from a link to a link.
const [from, to] = process.argv.slice(2);
const source = await fetch(from);
if (!source.ok) throw new Error(`it can't be read: ${source.status}`);
const answer = await fetch(to, {
  method: "PUT",
  headers: { "x-ms-blob-type": "BlockBlob", "content-length": source.headers.get("content-length") },
  body: source.body,
  duplex: "half",
});
if (!answer.ok) throw new Error(`it can't be written: ${answer.status}`);
