import { type Notification, NotifyService } from "@stoa/sdk/notify";
import { Button, Empty } from "@stoa/ui";
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";

import { stoa } from "../node.js";
import { say } from "../strings.js";
import css from "./pages.module.css";
import { Asked, When } from "./shared.js";

/** What somebody was told, the newest first. */
export default function InboxPage() {
  const queries = useQueryClient();
  const notify = stoa.client(NotifyService);
  const inbox = useInfiniteQuery({
    queryKey: ["inbox"],
    queryFn: ({ pageParam, signal }) =>
      notify.listInbox({ pageSize: 100, pageToken: pageParam }, { signal }),
    initialPageParam: "",
    getNextPageParam: ({ nextPageToken }) => nextPageToken || undefined,
    refetchInterval: 10_000,
  });
  const read = async (some: Notification[]) => {
    for (const { id } of some) await notify.markRead({ id });
    await queries.invalidateQueries({ queryKey: ["inbox"] });
  };
  return (
    <Asked query={inbox}>
      {({ pages }) => {
        const all = pages.flatMap(({ notifications }) => notifications);
        const unread = all.filter(({ read }) => !read);
        if (all.length === 0) return <Empty>{say.inbox.none}</Empty>;
        return (
          <>
            <div className={css.bar}>
              <span role="status">{say.inbox.unread(unread.length)}</span>
              {unread.length > 0 ? (
                <Button small onClick={() => void read(unread)}>
                  {say.inbox.readAll}
                </Button>
              ) : null}
            </div>
            <ul className={css.letters}>
              {all.map((one) => (
                <Told key={one.id} of={one} onRead={() => void read([one])} />
              ))}
            </ul>
            {inbox.hasNextPage ? (
              <div className={css.bar}>
                <Button small onClick={() => void inbox.fetchNextPage()}>
                  {say.inbox.furtherBack}
                </Button>
              </div>
            ) : null}
          </>
        );
      }}
    </Asked>
  );
}

function Told({ of, onRead }: { of: Notification; onRead: () => void }) {
  return (
    <li className={css.letter} data-unread={of.read ? undefined : ""}>
      <h2>{of.subject}</h2>
      <p className={css.letterText}>{of.text}</p>
      <p className={css.dim}>
        <When time={of.createTime} />
        {of.read ? null : (
          <Button small onClick={onRead}>
            {say.inbox.read}
          </Button>
        )}
      </p>
    </li>
  );
}
