// Draws the charts of the dashboard. The page works without this script: every figure stands in a table too.

const { Chart } = window;
const page = document.querySelector(".vp-dashboard");
const figures = JSON.parse(document.getElementById("vp-chart-data").textContent);
const language = document.documentElement.lang || undefined;
const POINTS_UP_TO = 60;
// What a bar is drawn with beside its colour, for who cannot tell the colours apart.
const PATTERNS = { unanswered: "rising", failed: "crossed", unknown: "dots", waiting: "falling" };

// A colour of the stylesheet as the page's scheme has it now.
function colour(name) {
  const probe = document.createElement("span");
  probe.style.color = name ? `var(--vp-${name})` : "inherit";
  page.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

const line = (pen, ...ends) => { pen.moveTo(ends[0], ends[1]); pen.lineTo(ends[2], ends[3]); };
const STROKES = {
  rising: (pen) => { line(pen, -2, 6, 2, 2); line(pen, 0, 8, 8, 0); line(pen, 6, 10, 10, 6); },
  falling: (pen) => { line(pen, -2, 2, 2, 6); line(pen, 0, 0, 8, 8); line(pen, 6, -2, 10, 2); },
  crossed: (pen) => { STROKES.rising(pen); STROKES.falling(pen); },
  dots: (pen) => { pen.arc(4, 4, 1.25, 0, 7); },
};

function filling(name) {
  const strokes = STROKES[PATTERNS[name]];
  if (!strokes) {
    return colour(name);
  }
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const pen = tile.getContext("2d");
  pen.fillStyle = colour(name);
  pen.fillRect(0, 0, 8, 8);
  pen.strokeStyle = colour("panel");
  // The usual outcome fills the chart: its stripes are to be seen, not to flicker.
  pen.lineWidth = name === "unanswered" ? 0.5 : 1.25;
  pen.beginPath();
  strokes(pen);
  pen.stroke();
  return pen.createPattern(tile, "repeat");
}

function formatter(options) {
  try {
    return new Intl.NumberFormat(language, options);
  } catch {
    return new Intl.NumberFormat(undefined, options);
  }
}

function numbers({ unit, currency }, compact) {
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

// Days and moments come as they are to be read: no zone of the browser may move them.
function moments(options) {
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
  // Between two readings there was a balance too; a day without verifications has no conversion.
  const spanGaps = chart.unit === "money";
  const isShort = values.length <= POINTS_UP_TO || values.filter((value) => value !== null).length === 1;
  const isPoint = (index) => isShort || (!spanGaps && isLone(values, index));
  return {
    label,
    data: values,
    backgroundColor: filling(name),
    borderColor: isLine ? colour(name) : colour("panel"),
    borderWidth: isLine ? 2 : 0,
    pointRadius: ({ dataIndex }) => (isPoint(dataIndex) ? 3 : 0),
    pointHitRadius: 12,
    spanGaps,
    borderJoinStyle: "round",
    barPercentage: 1,
    categoryPercentage: values.length > POINTS_UP_TO ? 1 : 0.85,
  };
}

// A value between gaps has no line: it must be seen as a point.
function isLone(values, index) {
  return values[index] !== null && (values[index - 1] ?? null) === null && (values[index + 1] ?? null) === null;
}

function scales(chart) {
  const quiet = colour("quiet");
  const short = moments({ day: "numeric", month: "short" });
  const number = numbers(chart, true);
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
  const full = moments(
    chart.labels[0]?.includes("T") ? { dateStyle: "medium", timeStyle: "short" } : { dateStyle: "full" },
  );
  const number = numbers(chart, false);
  const isMany = chart.series.length > 1;
  return {
    legend: {
      display: isMany,
      position: "bottom",
      // What only a mouse can do is not offered.
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
  const chart = figures[canvas.dataset.vpChart];
  canvas.parentElement.hidden = false;
  return new Chart(canvas, {
    type: chart.type,
    data: { labels: chart.labels, datasets: chart.series.map((one) => dataset(chart, one)) },
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

let drawn = [];

function drawAll() {
  drawn.forEach((chart) => chart.destroy());
  Chart.defaults.font.family = getComputedStyle(page).fontFamily;
  drawn = [...document.querySelectorAll("canvas[data-vp-chart]")].map(draw);
}

if (Chart) {
  drawAll();
  // The scheme: the reader's choice in the admin (data-theme, or a class in other themes) or that of the system.
  new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["data-theme", "class"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
}
