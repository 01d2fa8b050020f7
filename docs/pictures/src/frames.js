// Answers of Prometheus as Grafana's data frames.

import { FieldType, getDisplayProcessor, toDataFrame } from "@grafana/data";

// What Grafana's field editor would fill in where a dashboard says nothing.
const CUSTOM = {
  drawStyle: "line",
  lineInterpolation: "linear",
  lineWidth: 1,
  fillOpacity: 0,
  showPoints: "never",
  pointSize: 5,
  spanNulls: false,
  axisPlacement: "auto",
  axisColorMode: "text",
  axisGridShow: true,
  scaleDistribution: { type: "linear" },
  hideFrom: { tooltip: false, viz: false, legend: false },
};

export function seriesFrames(panel, board, theme) {
  const times = moments(board);
  const found = panel.targets.flatMap((target) => target.answer.map((series) => [target, series]));
  return found.map(([target, series], place) => {
    const name = legend(target, series.metric);
    const { custom, ...config } = panel.fieldConfig.defaults;
    const frame = toDataFrame({
      refId: target.refId,
      fields: [
        { name: "Time", type: FieldType.time, values: times, config: { custom: CUSTOM } },
        {
          name,
          type: FieldType.number,
          values: onGrid(series.values, board),
          config: { ...config, displayName: name, custom: { ...CUSTOM, ...custom } },
          labels: series.metric,
        },
      ],
    });
    frame.fields.forEach((field) => show(field, theme, place));
    return frame;
  });
}

// One row per set of labels, one column per query: what the transformations merge and organize leave.
export function tableFrame(panel, theme) {
  const { excludeByName, renameByName } = panel.transformations.at(-1).options;
  const many = panel.targets.length > 1;
  const names = panel.targets.map((target) => (many ? `Value #${target.refId}` : "Value"));
  const labels = [
    ...new Set(panel.targets.flatMap((target) => target.answer.flatMap((one) => Object.keys(one.metric)))),
  ].filter((name) => name !== "__name__");
  const rows = new Map();
  panel.targets.forEach((target, place) => {
    for (const { metric, value } of target.answer) {
      const key = JSON.stringify(labels.map((name) => metric[name]));
      rows.set(key, { ...rows.get(key), ...metric, [names[place]]: Number(value[1]) });
    }
  });
  const fields = [...labels, ...names]
    .filter((name) => !excludeByName[name])
    .map((name) => column(name, renameByName[name] ?? name, [...rows.values()], panel));
  const frame = toDataFrame({ fields });
  frame.fields.forEach((field, place) => show(field, theme, place));
  return frame;
}

function column(name, title, rows, panel) {
  const properties = panel.fieldConfig.overrides
    .filter((one) => one.matcher.options === title)
    .flatMap((one) => one.properties)
    .filter((one) => one.id !== "links");
  const { custom, ...defaults } = panel.fieldConfig.defaults;
  return {
    name: title,
    type: name.startsWith("Value") ? FieldType.number : FieldType.string,
    values: rows.map((row) => row[name] ?? null),
    config: {
      ...defaults,
      ...Object.fromEntries(properties.map((one) => [one.id, one.value])),
      custom: { ...custom, filterable: false },
    },
  };
}

function show(field, theme, place) {
  const known = field.values.filter(Number.isFinite);
  const [min, max] = known.length ? [Math.min(...known), Math.max(...known)] : [0, 0];
  field.state = {
    seriesIndex: place,
    displayName: field.config.displayName ?? field.name,
    range: { min, max, delta: max - min },
  };
  field.display = getDisplayProcessor({ field, theme, timeZone: "utc" });
}

export function moments({ start, end, step }) {
  return Array.from({ length: Math.floor((end - start) / step) + 1 }, (_, n) => (start + n * step) * 1000);
}

// With nothing where a series had no value: lines break there.
function onGrid(values, board) {
  const known = new Map(values.map(([time, value]) => [Math.round(time * 1000), Number(value)]));
  return moments(board).map((time) => {
    const value = known.get(time);
    return Number.isFinite(value) ? value : null;
  });
}

function legend({ legendFormat, expr }, metric) {
  if (legendFormat && legendFormat !== "__auto") {
    return legendFormat.replace(/{{\s*(\w+)\s*}}/g, (_, name) => metric[name] ?? "");
  }
  const { __name__: name = "", ...labels } = metric;
  const text = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
  return text.length || name ? `${name}{${text.join(", ")}}` : expr;
}
