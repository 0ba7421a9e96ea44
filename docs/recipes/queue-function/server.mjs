// A function app of its own, in Node.js: the function "told" gets each event of the queue
// and says it in a channel. The host runs it as a custom handler. reactions.mjs stands
// beside it.
import { createServer } from "node:http";
import { say } from "./reactions.mjs";

const { FUNCTIONS_CUSTOMHANDLER_PORT, CHANNEL_URL } = process.env;

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  if (request.url !== "/told") return response.writeHead(200).end(); // the host asks whether it is up
  const Logs = [];
  let status = 200;
  try {
    let event = JSON.parse(Buffer.concat(chunks)).Data.event;
    while (typeof event === "string") event = JSON.parse(event); // a text within a text
    await say(event, CHANNEL_URL);
    Logs.push(`${event.type} ${event.subject}`);
  } catch (error) {
    Logs.push(`failed: ${error.message}`);
    status = 500; // the host delivers it again, and after five times moves it to the poison queue
  }
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ Outputs: {}, Logs, ReturnValue: null }));
}).listen(Number(FUNCTIONS_CUSTOMHANDLER_PORT), "127.0.0.1");
