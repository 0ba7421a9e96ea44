// Reads data sets that visionkeeper has written, with libraries that have nothing to do
// with it, and prints what it found as JSON: for each an array of
// {"file", "part", "width", "height", "orientation", "labels", "boxes"}. The arguments are
// in pairs: a form and a folder. Width and height are those of the bytes; boxes are
// {"label", "left", "top", "right", "bottom"} in pixels of the picture as it is displayed.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { parse as parseCSV } from "csv-parse/sync";
import { imageSize } from "image-size";
import { parseStringPromise as parseXML } from "xml2js";
import { parse as parseYAML } from "yaml";

let root; // the folder that is read
const text = (...path) => readFileSync(join(root, ...path), "utf8");
const json = (...path) => JSON.parse(text(...path));
const lines = (...path) => text(...path).split("\n").filter(Boolean);
const folders = (...path) => readdirSync(join(root, ...path), { withFileTypes: true }).filter((e) => e.isDirectory()).map((e) => e.name);
const files = (...path) => readdirSync(join(root, ...path), { withFileTypes: true }).filter((e) => e.isFile()).map((e) => e.name);

// picture measures a file; sideways pictures change places of width and height.
function picture(file, part) {
  const { width, height, orientation = 0 } = imageSize(readFileSync(join(root, file)));
  const turned = orientation >= 5;
  return { file, part, width, height, orientation, labels: [], boxes: [], seen: turned ? [height, width] : [width, height] };
}

const box = (label, left, top, width, height) => ({ label, left, top, right: left + width, bottom: top + height });

const readers = {
  coco() {
    return files("annotations").flatMap((name) => {
      const part = name.replace(/^instances_|\.json$/g, "");
      const { images, annotations, categories } = json("annotations", name);
      const names = new Map(categories.map((c) => [c.id, c.name]));
      return images.map((i) => {
        const p = picture(join(part, i.file_name), part);
        if (p.seen[0] !== i.width || p.seen[1] !== i.height) throw new Error(`${i.file_name} is ${p.seen}, not ${i.width}, ${i.height}`);
        p.boxes = annotations.filter((a) => a.image_id === i.id).map((a) => box(names.get(a.category_id), ...a.bbox));
        return p;
      });
    });
  },
  yolo() {
    const data = parseYAML(text("data.yaml"));
    const parts = new Map(["train", "val", "test"].filter((p) => data[p]).map((p) => [data[p], p]).reverse());
    return [...parts].flatMap(([path, part]) => files(path).map((name) => {
      const p = picture(join(path, name), part);
      const labels = path.replace(/^images/, "labels");
      p.boxes = lines(labels, name.replace(/\.[^.]*$/, ".txt")).map((line) => {
        const [c, x, y, w, h] = line.split(" ").map(Number);
        return box(data.names[c], (x - w / 2) * p.seen[0], (y - h / 2) * p.seen[1], w * p.seen[0], h * p.seen[1]);
      });
      return p;
    }));
  },
  automl() {
    return folders().filter((f) => f.endsWith("-mltable-folder")).flatMap((folder) => {
      const { paths } = parseYAML(text(folder, "MLTable"));
      return lines(folder, paths[0].file).map((line) => {
        const { image_url, image_details, label } = JSON.parse(line);
        const p = picture(image_url, { training: "train", validation: "val", test: "test" }[folder.replace("-mltable-folder", "")]);
        if (p.seen[0] !== image_details.width || p.seen[1] !== image_details.height) throw new Error(`${image_url} is ${p.seen}`);
        for (const l of [label].flat()) {
          if (typeof l === "string") p.labels.push(l);
          else p.boxes.push(box(l.label, l.topX * p.seen[0], l.topY * p.seen[1], (l.bottomX - l.topX) * p.seen[0], (l.bottomY - l.topY) * p.seen[1]));
        }
        return p;
      });
    });
  },
  imagefolder() {
    const { classes } = json("visionkeeper.json");
    return folders().flatMap((part) => {
      if (!existsSync(join(root, part, "metadata.jsonl"))) {
        return folders(part).flatMap((c) => files(part, c).map((name) => ({ ...picture(join(part, c, name), part), labels: [decodeURIComponent(c.replace(/~.*/, ""))] })));
      }
      return lines(part, "metadata.jsonl").map((line) => {
        const { file_name, labels = [], objects = { bbox: [], categories: [] } } = JSON.parse(line);
        return { ...picture(join(part, file_name), part), labels, boxes: objects.bbox.map((b, i) => box(classes[objects.categories[i]].name, ...b)) };
      });
    });
  },
  csv() {
    const found = new Map();
    for (const r of parseCSV(text("labels.csv"), { columns: true, relax_column_count: false })) {
      const p = found.get(r.file) ?? picture(r.file, r.part);
      found.set(r.file, p);
      if (p.seen.join() !== `${r.image_width},${r.image_height}`) throw new Error(`${r.file} is ${p.seen}`);
      if (r.left !== "") p.boxes.push(box(r.tag, r.left * p.seen[0], r.top * p.seen[1], r.width * p.seen[0], r.height * p.seen[1]));
      else if (r.tag !== "") p.labels.push(r.tag);
    }
    return [...found.values()];
  },
  async voc() {
    const all = [];
    for (const set of files("ImageSets", "Main")) {
      for (const name of lines("ImageSets", "Main", set)) {
        const { annotation: a } = await parseXML(text("Annotations", `${name}.xml`));
        const p = picture(join("JPEGImages", a.filename[0]), basename(set, ".txt"));
        if (p.seen.join() !== `${a.size[0].width},${a.size[0].height}`) throw new Error(`${name} is ${p.seen}`);
        p.boxes = (a.object ?? []).map((o) => {
          const [left, top, right, bottom] = ["xmin", "ymin", "xmax", "ymax"].map((k) => Number(o.bndbox[0][k]));
          return { label: o.name[0], left: left - 1, top: top - 1, right, bottom };
        });
        all.push(p);
      }
    }
    return all;
  },
  json() {
    const { classes, images } = json("dataset.json");
    return images.map((i) => {
      const p = picture(i.file, i.part);
      if (p.seen[0] !== i.width || p.seen[1] !== i.height) throw new Error(`${i.file} is ${p.seen}`);
      p.boxes = i.boxes.map((b) => box(classes[b.class].name, b.left * i.width, b.top * i.height, b.width * i.width, b.height * i.height));
      p.labels = (i.data.tags ?? []).map((t) => t.tagName);
      return p;
    });
  },
};

const found = [];
for (let i = 2; i < process.argv.length; i += 2) {
  root = process.argv[i + 1];
  found.push(await readers[process.argv[i]]());
}
console.log(JSON.stringify(found));
