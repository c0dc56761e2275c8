// Reads the page again while the run goes on, and puts what is new in its place: the page neither flashes
// nor moves. A page of the disk may read nothing but as a frame, whose copy of this script tells its content.
(() => {
  const page = document.documentElement;
  const parts = ["header", "main"];
  if (window !== window.parent) {
    const html = parts.map((name) => document.querySelector(name).innerHTML);
    window.parent.postMessage({ ...page.dataset, title: document.title, html }, "*");
    return;
  }
  const open = () => Array.from(document.querySelectorAll("details"), (details) => details.open);
  let changed = Date.now();
  const show = (told) => {
    if (told.written === page.dataset.written) return;
    changed = Date.now();
    if (!getSelection().isCollapsed) return;
    const unfolded = open();
    parts.forEach((name, at) => { document.querySelector(name).innerHTML = told.html[at]; });
    document.querySelectorAll("details").forEach((details, at) => { details.open = Boolean(unfolded[at]); });
    document.title = told.title;
    for (const name of ["written", "every", "stale"]) page.dataset[name] = told[name];
  };
  const look = () => {
    const silent = Math.min(Date.now() - changed - 10000, Date.now() - page.dataset.written - page.dataset.stale);
    if (silent > 0) {
      document.getElementById("stale").hidden = false;
      return;
    }
    const frame = document.createElement("iframe");
    let heard = false;
    const hear = (event) => {
      if (event.source !== frame.contentWindow) return;
      heard = true;
      show(event.data);
    };
    const next = () => {
      removeEventListener("message", hear);
      frame.remove();
      // Without the script it is the page of a run that has ended.
      if (heard) setTimeout(look, page.dataset.every);
      else location.reload();
    };
    addEventListener("message", hear);
    frame.hidden = true;
    frame.onload = () => setTimeout(next, 250);
    frame.src = location.href.split(/[?#]/)[0] + "?" + Date.now();
    document.body.append(frame);
  };
  setTimeout(look, page.dataset.every);
})();
