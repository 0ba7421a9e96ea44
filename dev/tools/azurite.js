// Runs Azurite until standard input ends, so that it never outlives the
// process that started it, however that one ended. Arguments go to Azurite.
const Module = require("module");

process.stdin.on("end", () => process.exit(0)).resume();

// Azurite loads its telemetry even where that is switched off, and needs more time for it
// than for all else together.
const load = Module._load;
Module._load = (name, ...rest) => (name === "applicationinsights" ? {} : load(name, ...rest));

require("azurite/dist/src/azurite.js");
