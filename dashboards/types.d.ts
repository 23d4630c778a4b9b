// The types of what the scripts in assets/ share.

/** The state of a page: the values in the address after "#". */
type State = Record<string, string>;

interface NumberedComparison {
  comparison: Comparison;
  number: number;
}

/** The comparisons that the page and its filters allow, and the comparison that is shown. */
interface Choice {
  allowed: NumberedComparison[];
  matching: NumberedComparison[];
  shown: NumberedComparison | undefined;
}

type Board = Omit<BoardData, "rows"> & { rows: BoardRow[] };

/** What a reader of the first page asks, and what answers it. */
interface Question {
  /** What matters: a cost that boards are ranked by, or "" for quality; and its name. */
  matter: string;
  label: string;
  /** The length that is asked for; undefined if nothing was measured. */
  wanted: number | undefined;
  /** The measured length that answers, and the longest one; undefined if nothing was measured. */
  length: number | undefined;
  longest: number | undefined;
  /** The results of the task, and those that answer: of the costs of a task, probes of its form. */
  shown: NumberedComparison;
  source: NumberedComparison;
  /** The boards of the source at the length that answers. */
  boards: Board[];
  /** Whether results that the filters leave out have what matters at the wanted length. */
  isElsewhere: boolean;
}

/** A record with its entry. */
interface Run {
  entry: number;
  record: RunRecord;
}

/** A choice: its name in the state, its label, and its value and text of an item. */
type Field<Item> = [
  name: string,
  label: string,
  keyOf: (item: Item) => string,
  textOf?: (item: Item) => string,
];

type Value = string | number | null | undefined;
type TableCell = Value | Node | { text: Value | Node; className?: string };

interface FigureOptions {
  title: string;
  caption: string;
  /** The name of the downloaded files, without their ending. */
  name: string;
  /** Whether more is better, which the title says; undefined if neither is. */
  higherIsBetter?: boolean;
  /** The results that are drawn, which the downloaded files name. */
  about?: Comparison;
  traces: Record<string, unknown>[];
  layout?: Record<string, unknown>;
  /** The rows of the CSV file. */
  rows: Value[][];
  tall?: boolean;
}

declare const Plotly: {
  newPlot(node: HTMLElement, traces: object[], layout: object, config: object): Promise<unknown>;
  downloadImage(plot: { data: object[]; layout: object }, options: object): Promise<unknown>;
};

interface Window {
  LENGTHWISE: SiteData;
  // A page has those whose scripts it loads.
  LENGTHWISE_FINDINGS: Findings;
  LENGTHWISE_REPORTS: ReportData[];
  LENGTHWISE_DIAGNOSTICS: Diagnostics;
  LENGTHWISE_METHODS: Methods;
  /** The address of a run in MLflow, by run id. */
  LENGTHWISE_MLFLOW: Record<string, string>;
  lengthwiseRuns: (packed: string) => void;
}
