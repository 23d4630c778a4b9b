// The types of what the data scripts hold, and of what the scripts in assets/ share.

// ---- data/index.js, written by dashboards/contents.py and dashboards/lines.py ----

interface Measure {
  key: string;
  title: string;
  unit: string;
  /** A figure in the record, divided by the scale, is in the unit. */
  scale: number;
  higher_is_better: boolean;
}

/** Records that may be drawn in one picture, and the machine whose costs are shown. */
interface Comparison {
  /** Final runs of a frozen benchmark, measurements of costs, or trials, which are no results. */
  kind: "final" | "costs" | "trial";
  /** The full name, unique among all comparisons. */
  title: string;
  /** A short name, unique among the comparisons of the subject. */
  name: string;
  /** The title of the task, or what is probed. */
  subject: string;
  form: "encoder" | "decoder" | "encoder_decoder";
  mode: "train" | "probe" | "decode";
  task: string;
  source: string;
  options: string;
  model_size: string;
  steps: number;
  /** The label of the frozen benchmark of final runs ("core-1"), otherwise "". */
  benchmark: string;
  track: "standard" | "open";
  /** The split that scores come from, "" for a probe. */
  split: "test" | "validation" | "";
  /** Why no entry has a rank, "" if entries may have one. */
  why_unranked: string;
  precision: string;
  backend: string;
  batch: string;
  machine: string;
  threads: number;
  /** The session of all costs, "" without costs. */
  session: string;
  protocol: number;
  /** The primary metric of the task, "" for a probe. */
  metric: string;
  higher_is_better: boolean;
  /** Whether the metric is a share from 0 to 1. */
  share: boolean;
}

/** A line of the figures: an architecture with its options. */
interface Line {
  name: string;
  architecture: string;
  color: string;
  /** Plotly's name of the symbol. */
  symbol: string;
  /** The outline of the symbol as an SVG path in a box of 10 by 10. */
  outline: string;
  /** "solid", or the lengths of dashes and gaps as "8px,4px". */
  dash: string;
  /** Whether the architecture is a control, such as one without any mixing of positions. */
  control: boolean;
  /** The title and the paper of the architecture; empty if it is not registered. */
  about: string;
}

/** A column of texts: each text once, and the place of each row's text. */
interface TextColumn {
  texts: string[];
  at: number[];
}

type Figures = (number | null)[];

/** One row per record. Each measure has a column of figures under its key. */
type RecordColumns = {
  comparison: number[];
  line: number[];
  sequence_length: number[];
  batch_size: number[];
  repeat: number[];
  status: TextColumn;
  reason: TextColumn;
  run_id: string[];
  quality: Figures;
};

/** One row per point and measure. */
interface PointColumns {
  comparison: number[];
  line: number[];
  sequence_length: number[];
  batch_size: number[];
  /** The place of the measure in `measures`, or -1 for quality. */
  measure: number[];
  value: number[];
  low: Figures;
  high: Figures;
  n: number[];
  /** The number of runs with a noisy phase; figures are of quiet phases only. */
  noisy: number[];
}

type BoardRowData = [
  line: number,
  rank: number | null,
  value: number | null,
  low: number | null,
  high: number | null,
  n: number,
  detectable: number | null,
  note: string,
  superseded: string,
  parameters: number | null,
  seconds: number | null,
  date: string,
  run: string,
  digest: string,
  sessions: number,
  between: number | null,
  by_evaluation_length: Record<string, EvaluatedScore>,
];

/** The score at an evaluation length and why some seeds have none, or why there is none at all. */
type EvaluatedScore =
  | string
  | [value: number, low: number | null, high: number | null, n: number, missing: string];

type BoardData = [
  comparison: number,
  length: number,
  batch: number,
  metric: string,
  rows: BoardRowData[],
  detectable: number | null,
];

interface SiteData {
  protocol: number;
  measures: Measure[];
  /** In the order in which the pages prefer them. */
  comparisons: Comparison[];
  lines: Line[];
  records: RecordColumns;
  points: PointColumns;
  boards: BoardData[];
  leaderboards: LeaderboardData[];
  learning_rates: RateSearch[];
  /** The tasks that the page of diagnostics reads. */
  diagnosed: string[];
  /** The trials of each task, in words. */
  trials: { task: string; subject: string; text: string }[];
  /** The first run of each bundle, and the name of its script in data/runs/. */
  bundles: [first: string, name: string][];
}

// ---- shared by the scripts in assets/ ----

/** The state of a page: the values in the address after "#". */
type State = Record<string, string>;

interface Interval {
  value: number | null;
  low: number | null;
  high: number | null;
}

/** An estimate at one length and batch size, of one measure of one line. */
interface Point extends Interval {
  value: number;
  line: number;
  length: number;
  batch: number;
  measure: number;
  n: number;
  noisy: number;
}

/** The gap between two lines; n is the number of repeats that both have, null without interval. */
interface Gap extends Interval {
  n: number | null;
}

interface RecordRow {
  line: number;
  length: number;
  batch: number;
  repeat: number;
  status: string;
  reason: string;
  run: string;
  /** The figure of each measure, and of quality after them. */
  values: Figures;
}

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

interface BoardRow extends Interval {
  line: number;
  rank: number | null;
  n: number;
  /** The smallest difference to the leader of the rank that would have been separated; a ratio. */
  detectable: number | null;
  note: string;
  superseded: string;
  parameters: number | null;
  seconds: number | null;
  date: string;
  run: string;
  /** The digest of the code that was measured. */
  digest: string;
  sessions: number;
  /** The standard deviation of the logarithms of the sessions' means. */
  between: number | null;
  byEvaluationLength: Record<string, EvaluatedScore>;
}

interface Board {
  length: number;
  batch: number;
  name: string;
  rows: BoardRow[];
  /** The detectable difference, or for costs the detectable ratio. */
  detectable: number | null;
}

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

/** A record with its line. */
interface Run {
  line: number;
  record: RunRecord;
}

type Value = string | number | null | undefined;
type TableCell = Value | Node | { text: Value | Node; className?: string };

interface FigureOptions {
  title: string;
  /** A sentence on what the figure shows. */
  reading?: string;
  caption: string;
  /** The name of the downloaded files, without their ending. */
  name: string;
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
  /** Only on the pages that load data/findings.js. */
  LENGTHWISE_FINDINGS: Findings;
  /** Only on the tasks page. */
  LENGTHWISE_REPORTS: ReportData[];
  /** Only on the diagnostics page. */
  LENGTHWISE_DIAGNOSTICS: Diagnostics;
  /** Only on the methods page. */
  LENGTHWISE_METHODS: Methods;
  /** Only on the run page: the address of a run in MLflow, by run id. */
  LENGTHWISE_MLFLOW: Record<string, string>;
  lengthwiseRuns: (records: RunRecord[]) => void;
}
