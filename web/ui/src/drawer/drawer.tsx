import { X } from "lucide-react";
import type { ReactNode } from "react";
import { Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";

import { Button } from "../button/button.js";
import { say } from "../strings.js";
import css from "./drawer.module.css";

interface Props {
  title: ReactNode;
  /** Beside the title. */
  tools?: ReactNode;
  onClose: () => void;
  children: ReactNode;
}

/** Shows one thing beside the list that it is in, which keeps its place. */
export function Drawer({ title, tools, onClose, children }: Props) {
  return (
    <ModalOverlay isOpen isDismissable onOpenChange={onClose} className={css.shade ?? ""}>
      <Modal className={css.drawer ?? ""}>
        <Dialog className={css.dialog ?? ""}>
          <div className={css.head}>
            <Heading slot="title" className={css.title ?? ""}>
              {title}
            </Heading>
            {tools}
            <Button kind="quiet" label={say.close} onClick={onClose}>
              <X size={16} aria-hidden />
            </Button>
          </div>
          <div className={css.body}>{children}</div>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

interface Floating {
  label: string;
  /** In the middle, or at the side that a reader starts from. */
  place?: "middle" | "side";
  onClose: () => void;
  children: ReactNode;
}

/** Something that floats above a page until it is done with. */
export function Sheet({ label, place = "middle", onClose, children }: Floating) {
  const look = place === "middle" ? css.sheet : css.side;
  return (
    <ModalOverlay isOpen isDismissable onOpenChange={onClose} className={css.shade ?? ""}>
      <Modal className={look ?? ""}>
        <Dialog aria-label={label} className={css.dialog ?? ""}>
          {children}
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
