// A receiver of the webhook, in Node.js 20 or newer. It takes what is signed and not older
// than five minutes, each event once, and does with it what the environment asks for.
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";
import { dispatch, say } from "./reactions.mjs";

const { EVENTS_WEBHOOK_SECRET, PORT = "8080", CHANNEL_URL, GITHUB_REPOSITORY, GITHUB_TOKEN, GITHUB_API } = process.env;
const webhook = new Webhook(EVENTS_WEBHOOK_SECRET);
const seen = new Set(); // in production: where it outlives the process

async function take(event) {
  if (seen.has(event.id)) return; // it comes twice now and then
  if (CHANNEL_URL) await say(event, CHANNEL_URL);
  if (GITHUB_REPOSITORY && event.type === "backup.proven") {
    await dispatch(event, { repository: GITHUB_REPOSITORY, token: GITHUB_TOKEN, api: GITHUB_API });
  }
  seen.add(event.id);
  console.log(`${event.type} ${event.subject}`);
}

const server = createServer(async (request, response) => {
  try {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString(); // the signature covers these very bytes
    let event;
    try {
      event = webhook.verify(body, request.headers);
    } catch (error) {
      console.log(`refused: ${error.message}`);
      return response.writeHead(401).end();
    }
    await take(event);
    response.writeHead(204).end();
  } catch (error) {
    console.log(`failed: ${error.message}`);
    response.writeHead(500).end(); // it comes again
  }
});
server.listen(Number(PORT), "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
