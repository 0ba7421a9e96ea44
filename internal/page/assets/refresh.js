"use strict";
// The page looks anew every few seconds and is replaced where something has changed, but
// not while a person is about to press something in it.
{
  let known = null;
  const look = async () => {
    const main = document.querySelector("main");
    if (document.hidden || main.contains(document.activeElement)) return;
    try {
      const response = await fetch(location.href, { cache: "no-cache" });
      const etag = response.headers.get("ETag");
      if (!response.ok || etag === known) return;
      const next = new DOMParser().parseFromString(await response.text(), "text/html");
      if (!next.querySelector("main") || !next.querySelector("nav")) return; // somebody else answered, such as a page to sign in
      const open = [...document.querySelectorAll("details[id]")].map((d) => [d.id, d.open]);
      for (const part of ["main", "nav"]) document.querySelector(part).replaceWith(next.querySelector(part));
      for (const [id, was] of open) {
        const details = document.getElementById(id);
        if (details) details.open = was;
      }
      known = etag;
    } catch {
      // It is asked again a little later.
    }
  };
  setInterval(look, 10_000);
}
