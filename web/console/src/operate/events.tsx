import { Button, type Column, Empty, Failed, input, State, Table } from "@stoa/ui";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { Time } from "../reply/value.js";
import { say } from "../strings.js";
import { short } from "../values.js";
import { type Happened, useEvents } from "./follow.js";
import { isAbout } from "./narrow.js";
import css from "./operate.module.css";

interface Props {
  /** What events are narrowed by: a part of their topic, of their subject or of what they say. */
  words?: string | undefined;
  onWords?: (words: string) => void;
}

/** What happens, as it happens, and a way to any commit that did. */
export function Events({ words = "", onWords }: Props) {
  const [isPaused, pause] = useState(false);
  const { events: all, isOpen, failed } = useEvents(isPaused);
  const events = words === "" ? all : all.filter((event) => isAbout(event, words));
  const navigate = useNavigate();
  const show = (position: string) =>
    void navigate({ to: "/operate/commits/$position", params: { position } });
  return (
    <div className={css.page}>
      <div className={css.bar}>
        <State mood={isPaused || !isOpen ? "plain" : "good"}>
          {isPaused ? say.events.paused : isOpen ? say.events.following : say.events.connecting}
        </State>
        <Button small onClick={() => pause(!isPaused)}>
          {isPaused ? say.events.goOn : say.events.pause}
        </Button>
        {onWords ? (
          <label className={css.filter}>
            {say.events.filter}
            <input
              className={input}
              value={words}
              placeholder={say.events.filterExample}
              spellCheck={false}
              onChange={(event) => onWords(event.target.value)}
            />
          </label>
        ) : null}
        <form
          onSubmit={(event) => {
            event.preventDefault();
            const position = new FormData(event.currentTarget).get("position");
            if (typeof position === "string" && position.trim() !== "") show(position.trim());
          }}
        >
          <input
            className={input}
            name="position"
            aria-label={say.events.position}
            placeholder={say.events.positionExample}
          />
          <Button small type="submit">
            {say.events.show}
          </Button>
        </form>
      </div>
      {failed ? <Failed {...failed} next={failed.next ?? say.failures.triedAgain} /> : null}
      {events.length === 0 && all.length > 0 ? (
        <Empty>{say.events.noMatch(all.length)}</Empty>
      ) : events.length === 0 && !failed ? (
        <Empty>
          <p>
            {say.events.none(
              <Link
                to="/explore/$service/$method"
                params={{ service: "system", method: "Annotate" }}
              >
                {say.events.makeOne}
              </Link>,
            )}
          </p>
        </Empty>
      ) : (
        <Table
          className={css.table}
          label={say.events.label}
          columns={COLUMNS}
          rows={events}
          keyOf={({ key }) => key}
          onOpen={({ position }) => show(position)}
        />
      )}
    </div>
  );
}

const COLUMNS: Column<Happened>[] = [
  { id: "time", title: say.events.came, width: 112, cell: ({ time }) => <Time time={time} /> },
  { id: "topic", title: say.events.topic, width: 180, cell: ({ topic }) => topic },
  {
    id: "subject",
    title: say.events.subject,
    width: 160,
    cell: ({ subject }) => (
      <span className={css.mono} title={subject}>
        {short(subject)}
      </span>
    ),
  },
  {
    id: "said",
    title: say.events.says,
    width: 320,
    cell: ({ said }) => (
      <span className={css.mono}>{said === undefined ? "–" : JSON.stringify(said)}</span>
    ),
  },
  {
    id: "position",
    title: say.events.commit,
    width: 96,
    cell: ({ position }) => <span className={css.mono}>{position}</span>,
  },
];
