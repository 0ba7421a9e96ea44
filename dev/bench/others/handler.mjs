// The same handler in Node.js, with nothing but its own library.
import { createServer } from "node:http";

createServer((request, answer) => {
  if (request.method === "GET") return answer.end();
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const invocation = JSON.parse(Buffer.concat(parts));
    Buffer.from(invocation.Data.message, "base64");
    answer.setHeader("Content-Type", "application/json");
    answer.end("{}");
  });
}).listen(process.env.FUNCTIONS_CUSTOMHANDLER_PORT, "127.0.0.1");
