// Draws the charts of the dashboard. The page works without this script: its tables have every figure too.

const { Chart } = window;
const page = document.querySelector(".vp-dashboard");
const charts = JSON.parse(document.getElementById("vp-chart-data").textContent);
const language = document.documentElement.lang || undefined;
// With more values than this, a chart has no point markers and no gaps between its bars.
const MAX_POINTS = 60;
// Patterns of the bars, for readers who cannot distinguish their colours.
const PATTERNS = { unanswered: "rising", failed: "crossed", unknown: "dots", waiting: "falling" };

// Returns a colour of the stylesheet (of the page's text without a name) in the present scheme.
function colour(name) {
  const probe = document.createElement("span");
  probe.style.color = name ? `var(--vp-${name})` : "inherit";
  page.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

const line = (context, x1, y1, x2, y2) => { context.moveTo(x1, y1); context.lineTo(x2, y2); };
const STROKES = {
  rising: (context) => { line(context, -2, 6, 2, 2); line(context, 0, 8, 8, 0); line(context, 6, 10, 10, 6); },
  falling: (context) => { line(context, -2, 2, 2, 6); line(context, 0, 0, 8, 8); line(context, 6, -2, 10, 2); },
  crossed: (context) => { STROKES.rising(context); STROKES.falling(context); },
  dots: (context) => { context.arc(4, 4, 1.25, 0, 7); },
};

function fill(name) {
  const strokes = STROKES[PATTERNS[name]];
  if (!strokes) {
    return colour(name);
  }
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const context = tile.getContext("2d");
  context.fillStyle = colour(name);
  context.fillRect(0, 0, 8, 8);
  context.strokeStyle = colour("panel");
  // The most frequent outcome covers most of the chart: thicker stripes would flicker.
  context.lineWidth = name === "unanswered" ? 0.5 : 1.25;
  context.beginPath();
  strokes(context);
  context.stroke();
  return context.createPattern(tile, "repeat");
}

function formatter(options) {
  try {
    return new Intl.NumberFormat(language, options);
  } catch {
    return new Intl.NumberFormat(undefined, options);
  }
}

function numberFormatter({ unit, currency }, compact) {
  const short = compact ? { notation: "compact" } : {};
  if (unit === "percent") {
    const format = formatter({ style: "percent", maximumFractionDigits: compact ? 0 : 1 });
    return (value) => format.format(value);
  }
  if (unit === "money") {
    const format = formatter(compact ? short : { minimumFractionDigits: 2, maximumFractionDigits: 2 });
    return (value) => (compact || !currency ? format.format(value) : `${format.format(value)}\u00a0${currency}`);
  }
  const format = formatter(short);
  return (value) => format.format(value);
}

// Formats the labels of an axis. They are in the time zone of the page already: format them as UTC, so that the
// browser's time zone does not shift them.
function dateFormatter(options) {
  let format;
  try {
    format = new Intl.DateTimeFormat(language, { ...options, timeZone: "UTC" });
  } catch {
    format = new Intl.DateTimeFormat(undefined, { ...options, timeZone: "UTC" });
  }
  return (label) => format.format(new Date(label.includes("T") ? `${label}Z` : `${label}T00:00Z`));
}

function dataset(chart, { name, label, values }) {
  const isLine = chart.type === "line";
  // Connect the readings of a balance; leave a gap for a day without verifications, which has no conversion.
  const spanGaps = chart.unit === "money";
  const isShort = values.length <= MAX_POINTS || values.filter((value) => value !== null).length === 1;
  const isPoint = (index) => isShort || (!spanGaps && isIsolated(values, index));
  return {
    label,
    data: values,
    backgroundColor: fill(name),
    borderColor: isLine ? colour(name) : colour("panel"),
    borderWidth: isLine ? 2 : 0,
    pointRadius: ({ dataIndex }) => (isPoint(dataIndex) ? 3 : 0),
    pointHitRadius: 12,
    spanGaps,
    borderJoinStyle: "round",
    barPercentage: 1,
    categoryPercentage: values.length > MAX_POINTS ? 1 : 0.85,
  };
}

// A value between two gaps has no line: draw a point.
function isIsolated(values, index) {
  return values[index] !== null && (values[index - 1] ?? null) === null && (values[index + 1] ?? null) === null;
}

function scales(chart) {
  const quiet = colour("quiet");
  const short = dateFormatter({ day: "numeric", month: "short" });
  const number = numberFormatter(chart, true);
  const isStacked = chart.type === "bar";
  return {
    x: {
      stacked: isStacked,
      grid: { display: false },
      border: { color: colour("line") },
      ticks: { color: quiet, maxRotation: 0, autoSkipPadding: 16, callback: (value) => short(chart.labels[value]) },
    },
    y: {
      stacked: isStacked,
      beginAtZero: true,
      ...(chart.unit === "percent" ? { max: 1 } : { suggestedMax: 1 }),
      grid: { color: colour("line") },
      border: { display: false },
      ticks: { color: quiet, precision: chart.unit === "count" ? 0 : undefined, maxTicksLimit: 6, callback: number },
    },
  };
}

function plugins(chart) {
  const full = dateFormatter(
    chart.labels[0]?.includes("T") ? { dateStyle: "medium", timeStyle: "short" } : { dateStyle: "full" },
  );
  const number = numberFormatter(chart, false);
  const isMany = chart.series.length > 1;
  return {
    legend: {
      display: isMany,
      position: "bottom",
      // No click: the keyboard could not do the same.
      onClick: null,
      labels: { color: colour(""), boxWidth: 16, boxHeight: 12 },
    },
    tooltip: {
      mode: "index",
      intersect: false,
      callbacks: {
        title: (items) => items.slice(0, 1).map((item) => full(chart.labels[item.dataIndex])),
        label: (item) => ` ${item.dataset.label}: ${number(item.raw)}`,
      },
    },
  };
}

function draw(canvas) {
  const chart = charts[canvas.dataset.vpChart];
  canvas.parentElement.hidden = false;
  return new Chart(canvas, {
    type: chart.type,
    data: { labels: chart.labels, datasets: chart.series.map((series) => dataset(chart, series)) },
    options: {
      responsive: true,
      maintainAspectRatio: false,
      animation: false,
      interaction: { mode: "index", intersect: false },
      scales: scales(chart),
      plugins: plugins(chart),
    },
  });
}

let instances = [];

function drawAll() {
  instances.forEach((chart) => chart.destroy());
  Chart.defaults.font.family = getComputedStyle(page).fontFamily;
  instances = [...document.querySelectorAll("canvas[data-vp-chart]")].map(draw);
}

if (Chart) {
  drawAll();
  // Draw again in the new colours when the reader changes the scheme in the admin (data-theme, or a class in other
  // themes) or in the system.
  new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["data-theme", "class"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
}
