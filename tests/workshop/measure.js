// Go through the slides of each deck, and send to the test what is wrong with them. Then open the
// speaker view, and send what it shows.

const SMALLEST = 20; // of letters, in pixels, at 1280 by 720
const CONTRAST = 4.5; // WCAG 2.2, 1.4.3
const FOOT = 56; // the height of what stands at the foot of each slide

async function measureAll() {
  const findings = [];
  for (const deck of ["slides", "wrong"]) {
    for (const [width, height] of [[1280, 720], [1920, 1080]]) {
      const frame = await open(deck, width, height);
      const { document, Reveal, performance, location } = frame.contentWindow;
      Reveal.configure({ hash: false, viewDistance: 1 }); // to be quick
      const slides = Reveal.getSlides();
      const tell = (slide, kind, what) => findings.push({ deck, width, slide: title(slide), kind, what });
      for (const entry of performance.getEntriesByType("resource")) {
        const url = new URL(entry.name);
        if (url.protocol !== "data:" && url.origin !== location.origin) {
          const slide = slides.find((s) => s.innerHTML.includes(entry.name)) ?? slides[0];
          tell(slide, "request to another host", entry.name);
        }
      }
      for (const slide of slides) {
        const { h, v } = Reveal.getIndices(slide);
        Reveal.slide(h, v);
        measure(frame.contentWindow, slide, (kind, what) => tell(slide, kind, what));
        if (width > 1280) continue; // colours are the same at all sizes
        contrast(frame.contentWindow, slide, (kind, what) => tell(slide, kind, what));
        document.documentElement.style.colorScheme = "dark";
        contrast(frame.contentWindow, slide, (kind, what) => tell(slide, kind, `${what}, in the dark`));
        document.documentElement.style.colorScheme = "light";
      }
      findings.push({ deck, width, measured: slides.map(title) });
      frame.remove();
    }
  }
  findings.push({ deck: "speaker", ...(await speakerView()) });
  return findings;
}

// Press S on the second slide. What does the speaker see?
async function speakerView() {
  const frame = await open("slides", 1280, 720);
  const page = frame.contentWindow;
  page.Reveal.next();
  const opened = new Promise((resolve) => {
    const before = page.open;
    page.open = (...where) => {
      const view = before.apply(page, where);
      resolve(view);
      return view;
    };
  });
  page.document.dispatchEvent(new KeyboardEvent("keydown", { key: "s", keyCode: 83 }));
  const speaker = await opened;
  const text = (selector) => {
    const element = speaker.document.querySelector(selector);
    return element?.getClientRects().length ? element.innerText.trim() : "";
  };
  const shown = (id) => {
    const reveal = speaker.document.querySelector(`${id} iframe`)?.contentWindow.Reveal;
    return reveal?.isReady() ? title(reveal.getCurrentSlide()) : "";
  };
  const seen = () => ({
    notes: text(".speaker-controls-notes .value"),
    clock: text(".clock-value"),
    pacing: text(".pacing"),
    slide: shown("#current-slide"),
    next: shown("#upcoming-slide"),
  });
  const giveUp = performance.now() + 30000;
  while (performance.now() < giveUp && !(Object.values(seen()).every(Boolean) && seen().slide !== seen().next)) {
    await new Promise((soon) => setTimeout(soon, 50));
  }
  return seen();
}

function title(slide) {
  return slide.querySelector("h1, h2, h3").textContent;
}

async function open(deck, width, height) {
  const frame = document.createElement("iframe");
  Object.assign(frame, { src: `/${deck}/index.html`, width, height, style: "border: 0" });
  await new Promise((loaded) => {
    frame.onload = loaded;
    document.body.append(frame);
  });
  const page = frame.contentWindow;
  if (!page.Reveal.isReady()) await new Promise((ready) => page.Reveal.on("ready", ready));
  page.document.documentElement.style.colorScheme = "light";
  await Promise.all([...page.document.fonts].map((font) => font.load()));
  return frame;
}

function measure(page, slide, tell) {
  const scale = page.Reveal.getScale();
  const box = slide.getBoundingClientRect();
  for (const element of slide.querySelectorAll("*:not(aside, aside *, pre *, svg :not(text))")) {
    const { left, right, top, bottom, width } = element.getBoundingClientRect();
    const over = [box.left - left, right - box.right, box.top - top, bottom - box.bottom + FOOT * scale];
    const most = Math.max(...over) / scale;
    if (width && most > 1) tell("overflows", `${element.localName}, by ${Math.round(most)} px`);
  }
  for (const pre of slide.querySelectorAll("pre")) {
    if (pre.scrollWidth > pre.clientWidth || pre.scrollHeight > pre.clientHeight + 1) {
      tell("code cut", pre.textContent.split("\n").sort((a, b) => b.length - a.length)[0]);
    }
  }
  for (const picture of slide.querySelectorAll("img, svg")) {
    const alt = picture.getAttribute("alt") || picture.getAttribute("aria-label");
    if (!alt?.trim()) tell("no alternative text", picture.getAttribute("src") ?? picture.localName);
  }
  for (const { element, text } of texts(page, slide)) {
    const svg = element.closest("svg");
    const enlarged = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width / scale : 1;
    const size = parseFloat(page.getComputedStyle(element).fontSize) * enlarged;
    if (size < SMALLEST - 0.05) tell("text too small", `${size.toFixed(1)} px: ${text}`);
  }
  for (const part of ["::before", "::after"]) {
    const style = page.getComputedStyle(slide, part);
    if (style.content !== "none" && parseFloat(style.fontSize) < SMALLEST) tell("text too small", part);
  }
}

// All texts that can be seen: their elements, and where they stand.
function* texts(page, slide) {
  for (const root of [slide, page.document.querySelector(".slide-number")]) {
    const nodes = page.document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (nodes.nextNode()) {
      const element = nodes.currentNode.parentElement;
      const text = nodes.currentNode.data.trim();
      if (!text || element.closest("aside, defs, style")) continue;
      const range = page.document.createRange();
      range.selectNodeContents(nodes.currentNode);
      const box = range.getClientRects()[0];
      if (box?.width) yield { element, text, box };
    }
  }
}

function contrast(page, slide, tell) {
  for (const { element, text, box } of texts(page, slide)) {
    const style = page.getComputedStyle(element);
    const ink = channels(element.closest("svg") ? style.fill : style.color);
    const ratio = contrastRatio(ink, paper(page, box));
    if (ratio < CONTRAST) tell("contrast too low", `${ratio.toFixed(1)}: ${text}`);
  }
}

// The colour of the first thing below the middle of a text that cannot be seen through.
function paper(page, box) {
  const middle = [box.left + box.width / 2, box.top + box.height / 2];
  const below = page.document.elementsFromPoint(...middle);
  for (const element of [...below, page.document.body]) {
    const style = page.getComputedStyle(element);
    const shape = [page.SVGGeometryElement, page.SVGUseElement].some((c) => element instanceof c);
    const colour = channels(shape ? style.fill : style.backgroundColor);
    if (colour?.[3] === 1) return colour;
  }
}

// Red, green, blue and opacity of a colour as getComputedStyle() has it; null for a pattern.
function channels(colour) {
  const numbers = colour.match(/^rgba?\((.*)\)$/)?.[1].split(",").map(Number);
  return numbers ? [...numbers, 1].slice(0, 4) : null;
}

function contrastRatio(...colours) {
  const [dark, light] = colours.map(luminance).sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour) {
  const [red, green, blue] = colour
    .map((channel) => channel / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

measureAll()
  .catch((error) => [{ error: String(error.stack) }])
  .then((findings) => fetch("/findings", { method: "POST", body: JSON.stringify(findings) }));
