import { type Mail, NotifyService } from "@stoa/sdk/notify";
import { Copy, Empty } from "@stoa/ui";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";

import { stoa } from "../node.js";
import { say } from "../strings.js";
import css from "./pages.module.css";
import { Asked, Facts, One, When } from "./shared.js";

/** Mail that was not sent, as whoever it is for would read it. */
export default function MailboxPage() {
  const [chosen, choose] = useState<string>();
  const mailbox = useInfiniteQuery({
    queryKey: ["mailbox"],
    queryFn: ({ pageParam, signal }) =>
      stoa.client(NotifyService).listMailbox({ pageSize: 200, pageToken: pageParam }, { signal }),
    initialPageParam: "",
    getNextPageParam: ({ nextPageToken }) => nextPageToken || undefined,
    refetchInterval: 5_000,
  });
  return (
    <Asked query={mailbox}>
      {({ pages }) => {
        const all = pages.flatMap(({ mail }) => mail);
        const shown = all.find(({ id }) => id === chosen) ?? all[0];
        if (shown === undefined) {
          return <Empty>{say.mailbox.none}</Empty>;
        }
        return (
          <div className={css.halves}>
            <ul className={css.mails} aria-label={say.mailbox.label}>
              {all.map(({ id, to, subject, createTime }) => (
                <li key={id}>
                  <button
                    type="button"
                    className={css.mail}
                    aria-current={id === shown.id}
                    onClick={() => choose(id)}
                  >
                    <span>{subject}</span>
                    <span className={css.dim}>
                      {to} <When time={createTime} />
                    </span>
                  </button>
                </li>
              ))}
            </ul>
            <Shown of={shown} />
          </div>
        );
      }}
    </Asked>
  );
}

/** A mail is text. What looks like an address leads there, and tells nobody where one came from. */
function Shown({ of }: { of: Mail }) {
  const { facts } = say.mailbox;
  return (
    <article className={css.page} aria-label={of.subject}>
      <h2>{of.subject}</h2>
      <Facts
        of={{
          [facts.to]: of.to,
          [facts.about]: <One list="users/users" id={of.userId} />,
          [facts.made]: <When time={of.createTime} />,
        }}
      />
      <div className={css.letterText}>
        {of.text.split(/(https?:\/\/[^\s<>"]+)/).map((part, place) => {
          const key = `${place} ${part}`;
          if (!/^https?:\/\//.test(part)) return <span key={key}>{part}</span>;
          return (
            <a key={key} href={part} target="_blank" rel="noreferrer">
              {part}
            </a>
          );
        })}
      </div>
      <Copy text={of.text} label={say.mailbox.copy} />
    </article>
  );
}
