// Prints the syntax trees of Bicep files as JSON, an array in the order of the
// arguments: {"type", "field", "text", "line", "bad", "children"}. Text is that of
// leaves and strings. Bad is a place that the grammar doesn't know.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Language, Parser } from "web-tree-sitter";

await Parser.init();
const parser = new Parser();
parser.setLanguage(await Language.load(createRequire(import.meta.url).resolve("tree-sitter-bicep/tree-sitter-bicep.wasm")));

function plain(node, field) {
  const children = [];
  for (let i = 0; i < node.childCount; i++) {
    const child = node.child(i);
    if (child.isNamed || child.isMissing || child.isError) children.push(plain(child, node.fieldNameForChild(i) ?? ""));
  }
  const text = children.length === 0 || node.type === "string" ? node.text : "";
  return { type: node.type, field, text, line: node.startPosition.row + 1, bad: node.isError || node.isMissing, children };
}

console.log(JSON.stringify(process.argv.slice(2).map((file) => plain(parser.parse(readFileSync(file, "utf8")).rootNode, ""))));
