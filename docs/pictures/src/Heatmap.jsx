// Grafana's heat map is a plugin of its server and not in @grafana/ui: this is the nearest, in SVG.

import { getValueFormat } from "@grafana/data";

import { moments } from "./frames.js";

const LEFT = 64;
const BOTTOM = 22;
const ORANGES = ["#2b1d0e", "#5a2d0c", "#8c4109", "#c25a0c", "#f2822c", "#ffb375", "#ffe8d1"];

export function Heatmap({ panel, board, theme, width, height }) {
  const rows = buckets(panel.targets[0].answer);
  const times = moments(board);
  const cells = rows.flatMap(({ counts }, row) =>
    times.map((time, place) => ({ row, place, count: counts.get(time) ?? 0 })),
  );
  const most = Math.max(...cells.map((cell) => cell.count), 1e-9);
  const wide = (width - LEFT) / times.length;
  const high = (height - BOTTOM) / Math.max(rows.length, 1);
  const text = { fill: theme.colors.text.secondary, fontSize: 12 };
  const every = Math.ceil(rows.length / 8);
  const marks = times.filter((_, place) => place % Math.ceil(times.length / 5) === 0).slice(0, 5);
  return (
    <svg width={width} height={height}>
      {cells
        .filter((cell) => cell.count > 1e-9)
        .map(({ row, place, count }) => (
          <rect
            key={`${row}-${place}`}
            x={LEFT + place * wide}
            y={height - BOTTOM - (row + 1) * high}
            width={wide + 0.2}
            height={high - 1}
            fill={ORANGES[Math.round(Math.sqrt(count / most) * (ORANGES.length - 1))]}
          />
        ))}
      {rows.map(({ le }, row) =>
        row % every ? null : (
          <text key={le} x={LEFT - 8} y={height - BOTTOM - row * high - 4} textAnchor="end" {...text}>
            {bound(le, panel.options.yAxis.unit)}
          </text>
        ),
      )}
      {marks.map((time) => (
        <text key={time} x={LEFT + times.indexOf(time) * wide} y={height - 5} {...text}>
          {new Date(time).toISOString().slice(11, 19)}
        </text>
      ))}
    </svg>
  );
}

// Buckets of Prometheus hold all below them; rows hold their own.
function buckets(answer) {
  const sorted = answer
    .map(({ metric, values }) => ({ le: Number(metric.le.replace("+Inf", "Infinity")), values }))
    .sort((one, other) => one.le - other.le);
  return sorted.map(({ le, values }, row) => {
    const below = new Map(row ? sorted[row - 1].values : []);
    const counts = values.map(([time, value]) => [time * 1000, value - (below.get(time) ?? 0)]);
    return { le, counts: new Map(counts) };
  });
}

function bound(le, unit) {
  if (!Number.isFinite(le)) {
    return "more";
  }
  const { text, suffix } = getValueFormat(unit)(le);
  return `${Number(text)}${suffix ?? ""}`;
}
