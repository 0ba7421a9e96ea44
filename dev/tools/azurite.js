// Runs Azurite until standard input ends, so that it never outlives the
// process that started it, however that one ended. Arguments go to Azurite.
const Module = require("module");

process.stdin.on("end", () => process.exit(0)).resume();

// Azurite loads its telemetry even where that is switched off, and needs more time for it
// than for all else together.
//
// It also parses the path templates of all operations again for each request.
const load = Module._load;
Module._load = (name, ...rest) => {
  if (name === "applicationinsights") return {};
  const loaded = load(name, ...rest);
  return name === "uri-templates" ? remembered(loaded) : loaded;
};

// remembered wraps a function of one text, so that each text is parsed only once.
function remembered(make) {
  const made = new Map();
  return (text) => made.get(text) ?? made.set(text, make(text)).get(text);
}

require("azurite/dist/src/azurite.js");
