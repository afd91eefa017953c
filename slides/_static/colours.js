// Light or dark is what the system says, until somebody presses D.
addEventListener("DOMContentLoaded", () => {
  const root = document.documentElement;
  Reveal.addKeyBinding({ keyCode: 68, key: "D", description: "Light or dark" }, () => {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const shown = root.style.colorScheme || (dark ? "dark" : "light");
    root.style.colorScheme = shown === "dark" ? "light" : "dark";
  });
});
