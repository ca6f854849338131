import type { ReactNode } from "react";
import { Tabs as Group, Tab, TabList, TabPanel } from "react-aria-components";

import css from "./tabs.module.css";

interface Props {
  label: string;
  tabs: { id: string; title: string; content: ReactNode }[];
  selected: string;
  onSelect: (id: string) => void;
}

/** One of several views of the same thing. */
export function Tabs({ label, tabs, selected, onSelect }: Props) {
  return (
    <Group selectedKey={selected} onSelectionChange={(key) => onSelect(String(key))}>
      <TabList aria-label={label} className={css.list ?? ""}>
        {tabs.map(({ id, title }) => (
          <Tab key={id} id={id} className={css.tab ?? ""}>
            {title}
          </Tab>
        ))}
      </TabList>
      {tabs.map(({ id, content }) => (
        <TabPanel key={id} id={id}>
          {content}
        </TabPanel>
      ))}
    </Group>
  );
}
