// Runs before the first paint: sets the chosen colours, and the frame that this tab will probably show.
(() => {
  const root = document.documentElement;
  const isLink = /\/(setup|invitation|reset)$/.test(location.pathname);
  try {
    const theme = localStorage.getItem("keyhouse.theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    if (!isLink && localStorage.getItem("keyhouse.frame") === "whole") root.dataset.frame = "whole";
  } catch {
    // The browser blocks storage: the colours follow the system.
  }
})();
