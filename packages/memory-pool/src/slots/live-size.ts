/**
 * The end of a memory that somebody has. It moves in two steps, a system call and the record, and the thread may be cut short between
 * them where nothing catches (`vm`'s timeout): so the record never says that more is open than is, and trusts no reset meanwhile.
 */
import type { SlotPages } from './pages.js';
import type { SlotRecords } from './records.js';

/** What is worked on. */
export interface Sized {
  readonly pages: SlotPages;
  readonly records: SlotRecords;
  /** Of a host page. */
  readonly pageBytes: number;
}

/**
 * Opens a live memory further. A call that fails may have opened a part: that is shut again, so that the memory ends where
 * it did. A guest on another thread may have written there all the same, so no reset is trusted any more.
 */
export function openFurther({ pages, records, pageBytes }: Sized, slot: number, wantedPages: number): void {
  const open = records.accessiblePages(slot) * pageBytes;
  const surplus = wantedPages * pageBytes - open;
  const wasTainted = records.isTainted(slot);
  records.setTainted(slot, true);
  try {
    pages.open(slot, open, surplus);
  } catch (error) {
    try {
      pages.shut(slot, open, surplus);
    } catch {
      // Refused, too: open past its end, and known to be, until it is freed and laid over.
    }
    throw error;
  }
  records.setAccessiblePages(slot, wantedPages);
  records.setTainted(slot, wasTainted);
}

/**
 * Shuts what lies behind the first `byteLength` bytes of a live memory. A call that fails may have shut a part: that is opened again, or
 * the memory stays short.
 */
export function shutEnd({ pages, records, pageBytes }: Sized, slot: number, byteLength: number): void {
  const [oldPages, oldByteLength] = [records.accessiblePages(slot), records.byteLength(slot)];
  const wantedPages = Math.ceil(byteLength / pageBytes);
  records.setByteLength(slot, byteLength);
  if (wantedPages >= oldPages) return;
  const open = wantedPages * pageBytes;
  const surplus = oldPages * pageBytes - open;
  const wasTainted = records.isTainted(slot);
  records.setTainted(slot, true);
  records.setAccessiblePages(slot, wantedPages);
  try {
    pages.shut(slot, open, surplus);
  } catch (error) {
    pages.open(slot, open, surplus);
    records.setAccessiblePages(slot, oldPages);
    records.setByteLength(slot, oldByteLength);
    throw error;
  }
  records.setTainted(slot, wasTainted);
}
