// Fetches a part of the page again every three seconds while it asks for that. Without scripts the page refreshes itself.
(function () {
  "use strict";
  var seconds = 3;

  function later(id) {
    window.setTimeout(function () { fetchAgain(id); }, seconds * 1000);
  }

  function fetchAgain(id) {
    var old = document.getElementById(id);
    if (!old || !old.dataset.poll) { return; }
    if (document.hidden || old.contains(document.activeElement) && document.activeElement.tagName === "INPUT") { later(id); return; }
    window.fetch(old.dataset.poll, { headers: { "X-Requested-With": "fetch" }, credentials: "same-origin" })
      .then(function (response) {
        if (response.status === 401) { window.location.reload(); return null; }
        return response.ok ? response.text() : Promise.reject(response.status);
      })
      .then(function (html) {
        if (html === null) { return; }
        var fresh = new DOMParser().parseFromString(html, "text/html").getElementById(id);
        if (!fresh) { return; }
        var hadFocus = old.contains(document.activeElement);
        old.replaceWith(fresh);
        if (hadFocus) { var button = fresh.querySelector("button"); if (button) { button.focus(); } }
        later(id);
      })
      .catch(function () { later(id); });
  }

  document.querySelectorAll("[data-poll]").forEach(function (part) { later(part.id); });
}());
