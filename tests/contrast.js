// Texts of the article that differ too little from what is behind them: contrast ratio of WCAG 2 below the least one.
(least) => {
  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = color.slice(0, 3).map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const color = channels(getComputedStyle(element).backgroundColor);
      if (color.length < 4 || color[3] > 0.5) return color;
    }
    return [255, 255, 255];
  };
  const faint = [], seen = new Set();
  const texts = document.createTreeWalker(document.querySelector("article"), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || seen.has(element) || element.closest("svg, script, style, noscript")) continue;
    seen.add(element);
    const { width, height } = element.getBoundingClientRect();
    if (!width || !height || getComputedStyle(element).visibility === "hidden") continue;
    const both = [luminance(channels(getComputedStyle(element).color)), luminance(ground(element))];
    if ((Math.max(...both) + 0.05) / (Math.min(...both) + 0.05) < least)
      faint.push(texts.currentNode.textContent.trim().slice(0, 60));
  }
  return faint;
};
