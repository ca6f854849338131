import { timestampDate } from "@bufbuild/protobuf/wkt";
import { useNavigate } from "@tanstack/react-router";

import { say } from "../strings.js";
import { Charts, FIRST, useLoad } from "./charts.js";
import css from "./load.module.css";
import { zoomed } from "./span.js";

/** What is shown at least: a line needs some room. */
const LEAST_S = 600;

/** Rate, errors and latency of the last hour, or since the node began; nothing for whoever may not know. */
export function Recent() {
  const navigate = useNavigate();
  const { data } = useLoad({});
  if (data === undefined || data.load.points.length === 0) return null;
  const { load, from, to } = data;
  const since = load.sinceTime ? timestampDate(load.sinceTime).getTime() / 1000 : from;
  return (
    <section className={css.recent} aria-label={say.load.recent}>
      <Charts
        load={load}
        from={Math.max(from, Math.min(since, to - LEAST_S))}
        to={to}
        charts={FIRST}
        onZoom={(from, to) => {
          const search = zoomed({}, from, to, Number(load.stepSeconds));
          void navigate({ to: "/operate/load", search });
        }}
      />
    </section>
  );
}
