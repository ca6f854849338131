import { timestampDate } from "@bufbuild/protobuf/wkt";
import { SystemService } from "@stoa/sdk/system";
import { Button, Failed } from "@stoa/ui";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { methodOf } from "../contracts/load.js";
import { useKnown } from "../known.js";
import { failure, stoa } from "../node.js";
import { Time } from "../reply/value.js";
import { say } from "../strings.js";
import { brief } from "../values.js";
import css from "./rows.module.css";

const PAGE = 20;

/** The commits that touched something, the youngest first. */
export function History({ touched }: { touched: string }) {
  const { contracts, may } = useKnown();
  const list = methodOf(contracts, "system", "ListCommits");
  const isShown = list !== undefined && may(list);
  const { data, error, hasNextPage, isFetching, fetchNextPage } = useInfiniteQuery({
    queryKey: ["history", touched],
    queryFn: ({ pageParam, signal }) =>
      stoa
        .client(SystemService)
        .listCommits({ touched, pageSize: PAGE, pageToken: pageParam }, { signal }),
    initialPageParam: "",
    getNextPageParam: ({ nextPageToken }) => nextPageToken || undefined,
    enabled: isShown,
  });
  const commits = data?.pages.flatMap(({ commits }) => commits) ?? [];
  if (!isShown) return null;
  return (
    <section className={css.history}>
      <h3>{say.data.history}</h3>
      {error ? <Failed {...failure(error)} /> : null}
      <ol>
        {commits.map(({ position, time, method, caller }) => (
          <li key={position}>
            <Link to="/operate/commits/$position" params={{ position }}>
              {method.replace(/^.*\//, "") || say.data.itself}
            </Link>{" "}
            <span title={caller}>{brief(caller)}</span>
            {time ? <Time time={timestampDate(time).toISOString()} /> : null}
          </li>
        ))}
      </ol>
      {data && commits.length === 0 && !hasNextPage ? <p>{say.data.noCommit}</p> : null}
      {hasNextPage ? (
        <Button small onClick={() => void fetchNextPage()}>
          {isFetching ? say.data.looking : say.data.furtherBack}
        </Button>
      ) : null}
    </section>
  );
}
