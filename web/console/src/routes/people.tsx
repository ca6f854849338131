import { Page } from "../frame/page.js";
import type { Shown } from "../rows/rows.js";
import { say } from "../strings.js";
import { type Lists, Part, Parts, useLists } from "./parts.js";

const LISTS: Lists = [
  ["users", "users"],
  ["auth", "roles"],
  ["auth", "role-grants"],
  ["auth", "sessions"],
  ["auth", "api-keys"],
  ["auth", "service-accounts"],
];

/** Who there is, what they may, and what they come with. */
export function PeoplePage({
  part,
  ...rest
}: {
  part: string;
  shown: Shown;
  onShow: (shown: Shown) => void;
}) {
  const lists = useLists(LISTS);
  const parts = lists.map(({ name }) => name);
  return (
    <Page title={say.frame.people} tabs={<Parts place="people" parts={parts} current={part} />}>
      <Part lists={lists} part={part} {...rest} />
    </Page>
  );
}
