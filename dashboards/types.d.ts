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

type Board = Omit<BoardData, "rows"> & { rows: BoardRow[]; isPredicted?: boolean };

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
  /** The boards of the source at the length that answers, and whether they are predictions. */
  boards: Board[];
  isPredicted: boolean;
  /** Whether the reader's limits leave rows of the boards out. */
  isLimited?: boolean;
  /** The results that the filters choose. */
  first: NumberedComparison;
}

/** A record with its entry. */
interface Run {
  entry: number;
  record: RunRecord;
}

type Value = string | number | null | undefined;
type TableCell = Value | Node | { text: Value | Node; className?: string };

interface FigureOptions {
  title: string;
  caption: string;
  /** The name of the downloaded files, without their ending. */
  name: string;
  /** Whether more is better, which the title says, or else what is better. */
  higherIsBetter?: boolean;
  better?: string;
  /** The results that are drawn, which the downloaded files name. */
  about?: Comparison;
  traces: Record<string, unknown>[];
  layout?: Record<string, unknown>;
  /** The rows of the CSV file. */
  rows: Value[][];
  tall?: boolean;
}

/** A point of a line, at a place of the horizontal axis. */
interface LinePoint extends Interval {
  x: number | string;
  n: number;
  /** Where the point is, if another text than the place says it. */
  at?: string;
  /** The size of its symbol, if it has one of its own. */
  size?: number;
}

interface Line {
  entry: number;
  /** The name, if it is not that of the entry. */
  name?: string;
  points: LinePoint[];
  isThin?: boolean;
  isPredicted?: boolean;
}

/** The place on an axis of a point. */
type PlaceOf = (place: number | string) => number | string;

type LineStyle = { measure: Measure; at: PlaceOf; zero: number } & Record<
  "isColored" | "isStrong" | "hasInterval" | "isJoined",
  boolean
>;

interface LineFigureOptions extends Omit<FigureOptions, "traces" | "layout" | "rows"> {
  lines: Line[];
  /** What the lines show; their values are divided by its scale. */
  measure: Measure;
  axis: { type?: string; [setting: string]: unknown };
  at?: PlaceOf;
  chosen: Set<number>;
  strong?: Set<number>;
  /** "seed" or "round", of which a figure of one says so. */
  repeat?: string;
  isShare?: boolean;
  isJoined?: boolean;
  mayBeLogarithmic?: boolean;
  extra?: Record<string, unknown>[];
  annotations?: object[];
  shapes?: object[];
  empty?: string;
  rows?: Value[][];
}

interface HeatOptions extends Omit<FigureOptions, "traces" | "layout" | "rows"> {
  columns: string[];
  names: string[];
  values: (number | null)[][];
  texts: string[][];
  /** The texts on hovering, if they are others. */
  hovers?: string[][];
  axes: [x: string, y: string];
  range?: [low: number, high: number];
  /** Whether the cells have texts, and pale colours. */
  isPale?: boolean;
  rows?: Value[][];
}

/** An entry in a figure of quality or gain against a cost. */
interface ScatterPoint {
  entry: number;
  x: Interval;
  y: Interval;
  isPredicted?: boolean;
}

declare const Plotly: {
  newPlot(node: HTMLElement, traces: object[], layout: object, config: object): Promise<unknown>;
  downloadImage(plot: { data: object[]; layout: object }, options: object): Promise<unknown>;
};

interface Window {
  LENGTHWISE: SiteData;
  // A page has those whose scripts it loads.
  LENGTHWISE_FINDINGS: Findings;
  LENGTHWISE_PREDICTIONS?: Columns<Prediction>;
  LENGTHWISE_HISTORY?: Columns<Moment>;
  LENGTHWISE_REPORTS: ReportData[];
  LENGTHWISE_DIAGNOSTICS: Diagnostics;
  LENGTHWISE_METHODS: Methods;
  /** The address of a run in MLflow, by run id. */
  LENGTHWISE_MLFLOW: Record<string, string>;
  lengthwiseRuns: (packed: string) => void;
}
