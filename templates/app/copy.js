// Copies the address of what a page shows when its button "Copy link" is pressed, where the browser allows it.
// The page marks the address by data-link and the button by a class; what came of it is told by data-link-copied.
if (!window.loupeCopiesLinks) {
  window.loupeCopiesLinks = true;
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".st-key-copy-link button");
    const link = document.querySelector("[data-link]");
    if (!button || !link) return;
    const told = document.documentElement.dataset;
    told.linkCopied = "no";
    // Only a page of this machine or one over TLS has a clipboard.
    navigator.clipboard?.writeText(link.dataset.link).then(
      () => (told.linkCopied = "yes"),
      () => (told.linkCopied = "no"),
    );
  });
}
