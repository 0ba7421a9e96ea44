// Runs Azurite until standard input ends, so that it never outlives the
// process that started it, however that one ended. Arguments go to Azurite.
process.stdin.on("end", () => process.exit(0)).resume();
require("azurite/dist/src/azurite.js");
