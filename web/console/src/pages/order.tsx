import { type Order, OrderState, OrdersService } from "@stoa/sdk/orders";
import { useWatch } from "@stoa/sdk/react";
import { type Commit, SystemService } from "@stoa/sdk/system";
import { Failed, State, Waiting } from "@stoa/ui";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { Page } from "../frame/page.js";
import { failure, stoa } from "../node.js";
import { short, shortCaller } from "../values.js";
import css from "./pages.module.css";
import { Asked, Facts, One, Sum, When } from "./shared.js";

const WORDS = {
  [OrderState.UNSPECIFIED]: "unknown",
  [OrderState.PLACED]: "placed",
  [OrderState.CANCELLED]: "cancelled",
};

/** An order: what was bought, and what else changed in the same commit. */
export default function OrderPage({ id }: { id: string }) {
  const { reply, error } = useWatch(stoa, OrdersService.method.getOrder, { id });
  const order = reply?.order;
  if (error && order === undefined) return <Failed {...failure(error)} />;
  if (order === undefined) return <Waiting lines={6} />;
  const isPlaced = order.state === OrderState.PLACED;
  return (
    <Page
      title={`order ${short(order.id)}`}
      tools={
        isPlaced ? (
          <Link
            to="/explore/$service/$method"
            params={{ service: "orders", method: "CancelOrder" }}
            search={{ fill: { id: order.id } }}
          >
            Cancel order
          </Link>
        ) : null
      }
    >
      <Facts
        of={{
          state: <State mood={isPlaced ? "good" : "warn"}>{WORDS[order.state]}</State>,
          total: <Sum of={order.total} />,
          customer: <One list="users/users" id={order.customerId} />,
          "charged by": <One list="ledger/transfers" id={order.transferId} />,
          "reversed by": <One list="ledger/transfers" id={order.reversalId} />,
          bought: <When time={order.effectiveTime} />,
        }}
      />
      <Lines of={order} />
      <Story id={order.id} version={String(order.updateTime?.seconds)} />
    </Page>
  );
}

function Lines({ of: { lines, total, location } }: { of: Order }) {
  return (
    <section className={css.part} aria-labelledby="lines">
      <h2 id="lines">What was bought, from {location}</h2>
      <table className={css.sheet}>
        <thead>
          <tr>
            <th scope="col">SKU</th>
            <th scope="col">quantity</th>
            <th scope="col">each</th>
            <th scope="col">amount</th>
          </tr>
        </thead>
        <tbody>
          {lines.map(({ sku, title, quantity, unitPrice, amount }) => (
            <tr key={sku}>
              <th scope="row">
                <code>{sku}</code> {title}
              </th>
              <td>{quantity.toLocaleString()}</td>
              <td>
                <Sum of={unitPrice} />
              </td>
              <td>
                <Sum of={amount} />
              </td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">in all</th>
            <td />
            <td />
            <td>
              <Sum of={total} />
            </td>
          </tr>
        </tfoot>
      </table>
    </section>
  );
}

/** Each commit that changed the order, with all that changed along with it. */
function Story({ id, version }: { id: string; version: string }) {
  const story = useQuery({
    queryKey: ["story", id, version],
    queryFn: async ({ signal }) => {
      const system = stoa.client(SystemService);
      const listed = await system.listCommits({ touched: `orders.order/${id}` }, { signal });
      const whole = listed.commits.map(({ position }) =>
        system.getCommit({ position }, { signal }),
      );
      const commits = (await Promise.all(whole)).flatMap(({ commit }) => commit ?? []);
      return { commits: commits.reverse(), more: listed.nextPageToken !== "" };
    },
  });
  return (
    <section className={css.part} aria-labelledby="story">
      <h2 id="story">Its story</h2>
      <Asked query={story}>
        {({ commits, more }) =>
          commits.length === 0 ? (
            <p className={css.dim}>
              {more
                ? "It is older than the commits that were looked through."
                : "No commit that is kept names it."}
            </p>
          ) : (
            <ol className={css.story}>
              {commits.map((commit) => (
                <Told key={commit.position} commit={commit} />
              ))}
            </ol>
          )
        }
      </Asked>
    </section>
  );
}

function Told({ commit }: { commit: Commit }) {
  const { position, time, method, caller, tables, events, jobs } = commit;
  return (
    <li>
      <p>
        <Link to="/operate/commits/$position" params={{ position }}>
          {method.replace(/^.*\//, "") || "The node itself"}
        </Link>{" "}
        by <code title={caller}>{shortCaller(caller)}</code>, <When time={time} />
      </p>
      <ul className={css.changed} aria-label="What changed in one commit">
        {services(tables).map(([service, rows]) => (
          <li key={service}>
            <strong>{service}</strong> {rows} {rows === 1 ? "row" : "rows"}
          </li>
        ))}
        {events.map(({ ordinal, topic }) => (
          <li key={`event ${ordinal}`}>
            <strong>event</strong> {topic}
          </li>
        ))}
        {jobs.map(({ id, method, state }) => (
          <li key={id}>
            <strong>job</strong> {method.replace(/^.*\//, "")}, {state}
          </li>
        ))}
      </ul>
    </li>
  );
}

/** How many rows each service wrote: a table begins with the name of its service. */
function services(tables: Commit["tables"]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { table, rows } of tables) {
    const service = table.split("_")[0] ?? table;
    if (service !== "stoa") counts.set(service, (counts.get(service) ?? 0) + Number(rows));
  }
  return [...counts];
}
