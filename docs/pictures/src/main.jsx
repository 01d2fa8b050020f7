// Draws one dashboard with Grafana's own components; ?board= names it.

import "@fontsource/inter/400.css";
import "@fontsource/inter/500.css";
import { createTheme, dateTime, ThemeContext } from "@grafana/data";
import { initPluginTranslations } from "@grafana/i18n";
import { BigValue, GlobalStyles, PanelChrome, Table, TimeSeries } from "@grafana/ui";
import { useEffect } from "react";
import { createRoot } from "react-dom/client";

import { seriesFrames, tableFrame } from "./frames.js";
import { Heatmap } from "./Heatmap.jsx";

// Grafana's grid: 24 columns, rows of 30 pixels with 8 between them.
const WIDTH = 1484;
const UNIT = 38;
const GAP = 8;

const theme = createTheme({ colors: { mode: "dark" } });

const KINDS = { stat: Stat, timeseries: Lines, heatmap: Heatmap, table: Rows };

function Stat({ panel, board, width, height }) {
  const { colorMode, graphMode, justifyMode, textMode } = panel.options;
  const [frame] = seriesFrames(panel, board, theme);
  if (!frame) {
    return <Nothing />;
  }
  const field = frame.fields[1];
  const last = field.values.filter((value) => value !== null).at(-1) ?? null;
  return (
    <BigValue
      value={{ ...field.display(last), title: undefined }}
      sparkline={{ y: field, x: frame.fields[0] }}
      {...{ colorMode, graphMode, justifyMode, textMode, theme, width, height }}
    />
  );
}

function Lines({ panel, board, width, height }) {
  const frames = seriesFrames(panel, board, theme);
  if (!frames.length) {
    return <Nothing />;
  }
  const from = dateTime(board.start * 1000);
  const to = dateTime(board.end * 1000);
  return (
    <TimeSeries
      frames={frames}
      structureRev={1}
      timeRange={{ from, to, raw: { from, to } }}
      timeZone="utc"
      legend={panel.options.legend}
      options={panel.options}
      {...{ width, height }}
    />
  );
}

function Rows({ panel, width, height }) {
  const frame = tableFrame(panel, theme);
  return frame.length ? <Table data={frame} cellHeight="sm" {...{ width, height }} /> : <Nothing />;
}

function Nothing() {
  return <div style={{ textAlign: "center", padding: 24, opacity: 0.6 }}>No data</div>;
}

function Panel({ panel, board }) {
  const { x, y, w, h } = panel.gridPos;
  const column = (WIDTH + GAP) / 24;
  const width = w * column - GAP;
  const height = h * UNIT - GAP;
  const place = { left: x * column, top: y * UNIT, width, height };
  if (panel.type === "row") {
    return (
      <div className="section" style={place}>
        {panel.title}
      </div>
    );
  }
  const Kind = KINDS[panel.type];
  return (
    <div style={place}>
      <PanelChrome title={panel.title} width={width} height={height} padding="md">
        {(innerWidth, innerHeight) => (
          <Kind panel={panel} board={board} theme={theme} width={innerWidth} height={innerHeight} />
        )}
      </PanelChrome>
    </div>
  );
}

function Board({ board }) {
  useEffect(() => document.body.setAttribute("data-drawn", ""), []);
  const bottom = Math.max(...board.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <h1>{board.title}</h1>
      <p className="about">{board.description}</p>
      <div className="grid" style={{ height: bottom * UNIT }}>
        {board.panels.map((panel) => (
          <Panel key={panel.id} panel={panel} board={board} />
        ))}
      </div>
    </ThemeContext.Provider>
  );
}

await initPluginTranslations("grafana");
await document.fonts.load("14px Inter"); // before text is measured for axes
const name = new URLSearchParams(location.search).get("board");
const boards = await (await fetch("data.json")).json();
document.body.style.background = theme.colors.background.canvas;
document.body.style.color = theme.colors.text.primary;
createRoot(document.getElementById("board")).render(<Board board={boards[name]} />);
