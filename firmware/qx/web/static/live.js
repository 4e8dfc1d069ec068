// SPDX-License-Identifier: Apache-2.0
// What makes pages live; each works without it. News comes as server-sent events, and the page is asked for anew:
// parts marked data-fresh are put in place of the old ones. Nothing here knows what a page shows.
"use strict";
(() => {
  const live = document.body.dataset.live;
  let asking = false, again = false;

  async function refresh() {
    if (asking) { again = true; return; }
    asking = true;
    try {
      const answer = await fetch(location.href, { headers: { "X-Live": "1" }, redirect: "manual", cache: "no-store" });
      if (answer.ok) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const old of document.querySelectorAll("[data-fresh][id]")) {
          const now = fresh.getElementById(old.id);
          if (now && !old.contains(document.activeElement) && !old.isEqualNode(now)) old.replaceWith(now);
        }
      }
    } catch { /* the device is away for a moment; the next news tries again */ }
    asking = false;
    if (again) { again = false; refresh(); }
  }

  if (live && document.querySelector("[data-fresh]")) {
    const news = new EventSource(live);
    news.addEventListener("news", refresh);
    news.addEventListener("end", () => news.close());
    addEventListener("pagehide", () => news.close());
  }

  // Files: too large ones are said at once, and the way there is shown.
  for (const form of document.querySelectorAll("form[data-upload]")) {
    form.addEventListener("submit", (event) => {
      const file = form.querySelector("input[type=file]"), most = Number(form.dataset.upload);
      const said = form.querySelector("[role=status]"), bar = form.querySelector("progress");
      if (file.files.length && file.files[0].size > most) {
        event.preventDefault();
        said.textContent = form.dataset.tooLarge;
        return;
      }
      event.preventDefault();
      const request = new XMLHttpRequest();
      bar.hidden = false;
      request.upload.onprogress = (sent) => { bar.max = sent.total; bar.value = sent.loaded; };
      request.onload = () => {
        const answer = new DOMParser().parseFromString(request.responseText, "text/html");
        const again = answer.querySelector("meta[http-equiv=refresh]");
        document.body.replaceWith(answer.body);
        history.replaceState(null, "", request.responseURL);
        if (again) setTimeout(() => location.reload(), 1000 * again.content);
      };
      request.onerror = () => { bar.hidden = true; said.textContent = form.dataset.broken; };
      request.open("POST", form.action);
      request.send(new FormData(form));
    });
  }
})();
