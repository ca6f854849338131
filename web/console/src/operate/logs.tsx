import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type LogLine, SystemService } from "@stoa/sdk/system";
import {
  Badge,
  Button,
  type Column,
  Drawer,
  Empty,
  Failed,
  input,
  type Mood,
  State,
  Table,
  Waiting,
} from "@stoa/ui";
import { useEffect, useState } from "react";

import { type Failure, failure, stoa } from "../node.js";
import { Time } from "../reply/value.js";
import type { Shown } from "../rows/rows.js";
import { say } from "../strings.js";
import { moment } from "../values.js";
import css from "./operate.module.css";

const EVERY_MS = 2_000;
const FIRST = 200;
/** As many as are kept on a page. */
const KEPT = 2_000;
const LEVELS = ["error", "warn", "info", "debug"];
const MOODS: Record<string, Mood> = { error: "bad", warn: "warn" };

interface Asked {
  level: string;
  text: string;
  trace: string;
}

interface Followed {
  lines: LogLine[] | undefined;
  node: string;
  failed: Failure | undefined;
}

/** The lines that are asked for, and those that come, unless it pauses. */
function useLines({ level, text, trace }: Asked, isPaused: boolean): Followed {
  const [state, setState] = useState<Followed>({ lines: undefined, node: "", failed: undefined });
  // biome-ignore lint/correctness/useExhaustiveDependencies: other lines are asked for
  useEffect(
    () => setState({ lines: undefined, node: "", failed: undefined }),
    [level, text, trace],
  );
  useEffect(() => {
    if (isPaused) return;
    const stop = new AbortController();
    const { signal } = stop;
    let after = "";
    const look = async () => {
      try {
        const asked = { level, text, trace, after, pageSize: after === "" ? FIRST : KEPT };
        const { lines, node } = await stoa.client(SystemService).listLogs(asked, { signal });
        const isFirst = after === "";
        after = lines[0]?.id ?? after;
        setState((state) => ({
          lines: (isFirst ? lines : [...lines, ...(state.lines ?? [])]).slice(0, KEPT),
          node,
          failed: undefined,
        }));
      } catch (thrown) {
        if (signal.aborted) return;
        setState((state) => ({ ...state, failed: failure(thrown) }));
      }
      if (!signal.aborted) setTimeout(() => signal.aborted || void look(), EVERY_MS);
    };
    void look();
    return () => stop.abort();
  }, [level, text, trace, isPaused]);
  return state;
}

/** What the node logged, and what it logs. */
export function Logs({ shown, onShow }: { shown: Shown; onShow: (shown: Shown) => void }) {
  const [isPaused, pause] = useState(false);
  const { level = "", text = "", trace = "" } = shown.filter ?? {};
  const { lines, node, failed } = useLines({ level, text, trace }, isPaused);
  const set = (field: keyof Asked, value: string) => {
    const filter = { level, text, trace, [field]: value.trim() };
    onShow({ filter: Object.fromEntries(Object.entries(filter).filter(([, value]) => value)) });
  };
  const open = lines?.find(({ id }) => id === shown.open);
  return (
    <div className={css.page}>
      <div className={css.bar}>
        <State mood={isPaused ? "plain" : "good"}>
          {isPaused ? say.logs.paused : say.logs.following}
        </State>
        <Button small onClick={() => pause(!isPaused)}>
          {isPaused ? say.logs.goOn : say.logs.pause}
        </Button>
        <label className={css.filter}>
          {say.logs.level}
          <select
            className={input}
            value={level}
            onChange={(event) => set("level", event.target.value)}
          >
            <option value="">{say.logs.anyLevel}</option>
            {LEVELS.map((level) => (
              <option key={level} value={level}>
                {level === "error" ? level : say.logs.andWorse(level)}
              </option>
            ))}
          </select>
        </label>
        <Words name={say.logs.text} value={text} onChange={(value) => set("text", value)} />
        <Words name={say.logs.trace} value={trace} onChange={(value) => set("trace", value)} />
        <span className={css.count}>
          {node ? <Badge title={say.logs.node}>{node}</Badge> : null}{" "}
          {lines ? lines.length.toLocaleString() : ""}
        </span>
      </div>
      {failed ? <Failed {...failed} next={failed.next ?? say.failures.triedAgain} /> : null}
      {lines === undefined ? (
        failed ? null : (
          <Waiting lines={8} />
        )
      ) : lines.length === 0 ? (
        <Empty>{level || text || trace ? say.logs.noMatch : say.logs.none}</Empty>
      ) : (
        <Table
          className={css.table}
          label={say.logs.label}
          columns={COLUMNS}
          rows={lines}
          keyOf={({ id }) => id}
          onOpen={({ id }) => onShow({ ...shown, open: id })}
          opened={shown.open}
        />
      )}
      {open ? <Line line={open} onClose={() => onShow({ ...shown, open: undefined })} /> : null}
    </div>
  );
}

interface WordsProps {
  name: string;
  value: string;
  onChange: (value: string) => void;
}

/** What is typed counts once it is left or entered. */
function Words({ name, value, onChange }: WordsProps) {
  return (
    <label className={css.filter}>
      {name}
      <input
        key={value}
        className={input}
        defaultValue={value}
        placeholder={say.logs.any}
        spellCheck={false}
        onBlur={(event) => event.target.value !== value && onChange(event.target.value)}
        onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
      />
    </label>
  );
}

function Line({ line, onClose }: { line: LogLine; onClose: () => void }) {
  const { level, target, text, trace, time } = line;
  return (
    <Drawer title={say.logs.line(target)} onClose={onClose}>
      <dl className={css.line}>
        <dt>{say.logs.when}</dt>
        <dd>{time ? moment(timestampDate(time).toISOString()) : "–"}</dd>
        <dt>{say.logs.level}</dt>
        <dd>
          <State mood={MOODS[level] ?? "plain"}>{level}</State>
        </dd>
        <dt>{say.logs.text}</dt>
        <dd>
          <code>{text}</code>
        </dd>
        <dt>{say.logs.trace}</dt>
        <dd>{trace ? <code>{trace}</code> : say.logs.noTrace}</dd>
      </dl>
    </Drawer>
  );
}

const COLUMNS: Column<LogLine>[] = [
  {
    id: "time",
    title: say.logs.when,
    width: 112,
    cell: ({ time }) => (time ? <Time time={timestampDate(time).toISOString()} /> : "–"),
  },
  {
    id: "level",
    title: say.logs.level,
    width: 88,
    cell: ({ level }) => <State mood={MOODS[level] ?? "plain"}>{level}</State>,
  },
  {
    id: "text",
    title: say.logs.text,
    width: 560,
    cell: ({ text }) => (
      <span className={css.mono} title={text}>
        {text}
      </span>
    ),
  },
  {
    id: "target",
    title: say.logs.from,
    width: 180,
    cell: ({ target }) => <span className={css.mono}>{target}</span>,
  },
];
