/** Runs something so many frames from the end of the stack. Rethrows what it throws. */
export function nearTheEnd(run: () => void, framesLeft: number): void;
