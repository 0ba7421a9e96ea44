// What a receiver may do with an event. Both functions throw where they couldn't do it, so
// that the event comes again.

// dispatch starts the workflows of a GitHub repository that wait for repository_dispatch
// with this type. https://docs.github.com/rest/repos/repos#create-a-repository-dispatch-event
export async function dispatch(event, { repository, token, api = "https://api.github.com" }) {
  const { project, iteration, export: name, blob, sha256 } = event.data;
  await post(`${api}/repos/${repository}/dispatches`, {
    event_type: event.type, // at most 100 characters
    client_payload: { id: event.id, project, iteration, export: name, blob, sha256 }, // at most 10 members
  }, { accept: "application/vnd.github+json", authorization: `Bearer ${token}`, "x-github-api-version": "2022-11-28" });
}

// say writes a message into a channel, by the URL of an incoming webhook: of Slack, or of
// a Teams workflow, which takes adaptive cards.
export async function say(event, url) {
  const text = sentence(event);
  const isSlack = new URL(url).pathname.startsWith("/services/");
  await post(url, isSlack ? { text } : {
    type: "message",
    attachments: [{
      contentType: "application/vnd.microsoft.card.adaptive",
      content: { type: "AdaptiveCard", version: "1.4", body: [{ type: "TextBlock", wrap: true, text }] },
    }],
  });
}

// sentence says what happened.
export function sentence({ type, data }) {
  const what = [data.project?.name, data.iteration?.name, data.export].filter(Boolean).join(", ");
  switch (type) {
    case "backup.proven": return `${what}: the backup is ${data.verdict} (${data.size} bytes).`;
    case "backup.broken": return `${what}: the backup is ${data.finding}: ${data.why}.`;
    case "export.blocked": return `${what}: couldn't be done for a day: ${data.why}.`;
    case "training.completed": return `${what}: the training is completed.`;
    case "training.failed": return `${what}: the training failed.`;
    case "model.promoted": return `${what}: it is published as ${data.name} now.`;
    case "sweep.overdue": return `No sweep has ended since ${data.lastEnded}.`;
    default: return `${type}: ${what}.`;
  }
}

async function post(url, body, headers = {}) {
  const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${new URL(url).host} answers ${answer.status}`);
}
