import { timestampDate } from "@bufbuild/protobuf/wkt";
import { AccountKind, type GetStatementResponse, LedgerService } from "@stoa/sdk/ledger";
import { useWatch } from "@stoa/sdk/react";
import { Button, type Column, Empty, Failed, Table, Waiting } from "@stoa/ui";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from "react";

import { Page } from "../frame/page.js";
import { failure, stoa } from "../node.js";
import { Money } from "../reply/value.js";
import { say } from "../strings.js";
import { major, short } from "../values.js";
import css from "./pages.module.css";
import { Facts, One, When } from "./shared.js";
import { curve } from "./steps.js";

const Plot = lazy(() => import("@stoa/ui/plot"));
const PAGE = 1_000;
/** As many entries as are drawn; the statement below has all. */
const DRAWN = 5_000;

/** An account: what it holds, how that came to be, and each entry of it. */
export default function AccountPage({ id }: { id: string }) {
  const { reply, error } = useWatch(stoa, LedgerService.method.getAccount, { account: id });
  const account = reply?.account;
  if (error && account === undefined) return <Failed {...failure(error)} />;
  if (account === undefined) return <Waiting lines={6} />;
  const { facts } = say.account;
  const money = (amount: bigint) => <Money amount={String(amount)} currency={account.currency} />;
  return (
    <Page
      title={account.code || short(account.id)}
      about={say.account.about(AccountKind[account.kind].toLowerCase(), account.currency)}
      tools={
        <Link
          to="/data/$service/$name"
          params={{ service: "ledger", name: "accounts" }}
          search={{ open: account.id }}
        >
          {say.account.all}
        </Link>
      }
    >
      <Facts
        of={{
          [facts.balance]: money(account.balance),
          [facts.held]: money(account.held),
          [facts.available]: money(account.available),
          [facts.floor]: account.floor === undefined ? say.account.noFloor : money(account.floor),
          [facts.owner]:
            account.ownerId === "" ? (
              say.account.house
            ) : (
              <One list="users/users" id={account.ownerId} />
            ),
          [facts.opened]: <When time={account.createTime} />,
        }}
      />
      <Statement id={account.id} currency={account.currency} balance={account.balance} />
    </Page>
  );
}

interface Entry {
  key: string;
  transferId: string;
  description: string;
  reference: string;
  debit: bigint;
  credit: bigint;
  balance: bigint;
  time: Date;
}

function Statement(props: { id: string; currency: string; balance: bigint }) {
  const { id, currency, balance } = props;
  const statement = useInfiniteQuery({
    // An entry more is another balance.
    queryKey: ["statement", id, String(balance)],
    queryFn: ({ pageParam, signal }) =>
      stoa
        .client(LedgerService)
        .getStatement({ account: id, pageSize: PAGE, pageToken: pageParam }, { signal }),
    initialPageParam: "",
    getNextPageParam: ({ nextPageToken }) => nextPageToken || undefined,
    placeholderData: (before) => before,
  });
  const { data, error, hasNextPage, isFetching, fetchNextPage } = statement;
  const entries = useMemo(() => (data?.pages ?? []).flatMap(entriesOf), [data]);
  const count = entries.length;
  const more = useCallback(() => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage]);
  useEffect(() => {
    if (count < DRAWN) more();
  }, [count, more]);
  if (error) return <Failed {...failure(error)} retry={() => void statement.refetch()} />;
  if (data === undefined) return <Waiting lines={8} />;
  if (count === 0) return <Empty>{say.account.none}</Empty>;
  return (
    <>
      <Balance entries={entries} currency={currency} />
      <Table
        className={css.table}
        label={say.account.statement}
        columns={columnsOf(currency)}
        rows={entries.toReversed()}
        keyOf={({ key }) => key}
        onEnd={more}
      />
    </>
  );
}

/** How the balance came to be. */
function Balance({ entries, currency }: { entries: Entry[]; currency: string }) {
  const [zoom, setZoom] = useState<[from: number, to: number]>();
  const { times, lines } = useMemo(() => {
    const { times, values } = curve(
      entries.map(({ time, balance }) => ({
        time: time.getTime() / 1000,
        value: Number(balance),
      })),
    );
    return { times, lines: [{ name: "", values }] };
  }, [entries]);
  const [from, to] = zoom ?? [times[0] ?? 0, times.at(-1) ?? 0];
  return (
    <div className={css.curve}>
      <Suspense fallback={null}>
        <Plot
          title={say.account.balance}
          times={times}
          lines={lines}
          from={from}
          to={to}
          format={(amount) => `${major(String(Math.round(amount)), currency)} ${currency}`}
          group="account"
          height={160}
          isStepped
          onZoom={(from, to) => setZoom([from, to])}
        />
      </Suspense>
      {zoom ? (
        <Button small onClick={() => setZoom(undefined)}>
          {say.account.wholeTime}
        </Button>
      ) : null}
    </div>
  );
}

function entriesOf({ entries }: GetStatementResponse, page: number): Entry[] {
  return entries.map((entry, place) => ({
    ...entry,
    key: `${page}/${place}`,
    time: entry.effectiveTime ? timestampDate(entry.effectiveTime) : new Date(0),
  }));
}

function columnsOf(currency: string): Column<Entry>[] {
  const money = (amount: bigint) =>
    amount === 0n ? (
      <span className={css.dim}>–</span>
    ) : (
      <Money amount={String(amount)} currency={currency} />
    );
  return [
    {
      id: "time",
      title: say.account.time,
      width: 128,
      cell: ({ time }) => (
        <time dateTime={time.toISOString()} title={time.toLocaleString()}>
          {time.toLocaleDateString()}
        </time>
      ),
    },
    {
      id: "transfer",
      title: say.account.transfer,
      width: 132,
      cell: ({ transferId }) => <One list="ledger/transfers" id={transferId} />,
    },
    {
      id: "description",
      title: say.account.description,
      width: 220,
      cell: ({ description, reference }) => description || reference || "–",
    },
    {
      id: "debit",
      title: say.account.debit,
      align: "end",
      width: 128,
      cell: ({ debit }) => money(debit),
    },
    {
      id: "credit",
      title: say.account.credit,
      align: "end",
      width: 128,
      cell: ({ credit }) => money(credit),
    },
    {
      id: "balance",
      title: say.account.balance,
      align: "end",
      width: 136,
      cell: ({ balance }) => <Money amount={String(balance)} currency={currency} />,
    },
  ];
}
