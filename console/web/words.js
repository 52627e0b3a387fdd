// Every word that the page says, in both languages.

const words = {
  en: {
    skip: "Skip to the cases", subtitle: "Alerts and cases", now: "Now", cases: "Cases", alerts: "Alerts",
    access: "Access", all: "All", state: "State", severity: "Severity", what: "What", place: "Place",
    task_number: "Task number", alert: "Alert", opened: "Opened", raised: "Raised", measured: "Measured",
    action: "Action", more: "More", no_cases: "No cases.", no_alerts: "No alerts.", audit: "What happened",
    close: "Close", acknowledge: "Acknowledge", your_name: "Your name", comment: "Comment", cancel: "Cancel",
    token: "Token", keep: "Use it", access_why: "The hub's token is needed to acknowledge alerts, and to read where reading is closed. It is kept until this tab is closed.",
    screening: "Screening", pending_dispatch: "To be dispatched",
    active: "Active", acknowledged: "Acknowledged", stale: "Stale", cleared: "Cleared",
    info: "Info", minor: "Minor", major: "Major", critical: "Critical",
    open_alerts: "open alerts", live: "Live", waiting: "Connecting…", lost: "Connection lost; trying again", closed: "A token is needed to read",
    new_case: "New case", leaf: "Leaf of the catalogue", unclassified: "none yet", town: "Town", scene: "Scene",
    cleared_at: "Cleared", show: "Show case", said: "Sent; the alert changes as soon as the pipeline has it.",
    what_opened: "Case opened", what_alert_raised: "Raised again", what_alert_changed: "Alert changed",
    what_alert_acknowledged: "Acknowledged", what_alert_stale: "Source silent", what_alert_refreshed: "Source back",
    what_alert_cleared: "Alert cleared", what_judged: "Judged", verdict_true: "It was so", verdict_false: "False alert", verdict_duplicate: "Another one's matter",
    verdict_not_ours: "Not ours to handle", verdict_maintenance: "Work on the device",
    covers: "Kept back", cover_profile: "Profile on", cover_maintenance: "Maintenance", cover_over: "Over", cover_kept: "Hidden now",
    more_hidden: "More is hidden now: see the ledger.",
    failed: "That did not work", problem_away: "the hub does not answer", problem_unauthorized: "a token is needed, or this one is not right: press Access",
    problem_not_found: "it is not there any more", problem_not_active: "somebody was first: it is acknowledged or cleared already",
    problem_invalid_parameter: "something in it cannot be taken", problem_busy: "the hub is busy; try again in a second",
    problem_unavailable: "the hub cannot reach its database; try again in a second", problem_internal: "the hub has a fault; its log says which",
  },
  zh: {
    skip: "跳到案件", subtitle: "告警与案件", now: "当前", cases: "案件", alerts: "告警",
    access: "访问", all: "全部", state: "状态", severity: "级别", what: "事项", place: "地点",
    task_number: "任务号", alert: "告警", opened: "立案时间", raised: "发生时间", measured: "测值",
    action: "操作", more: "更多", no_cases: "暂无案件。", no_alerts: "暂无告警。", audit: "处置过程",
    close: "关闭", acknowledge: "确认", your_name: "姓名", comment: "备注", cancel: "取消",
    token: "令牌", keep: "使用", access_why: "确认告警需要令牌；若读取受限，查看也需要令牌。关闭此标签页后即失效。",
    screening: "受理研判", pending_dispatch: "待处理",
    active: "活动", acknowledged: "已确认", stale: "失联", cleared: "已解除",
    info: "提示", minor: "一般", major: "较重", critical: "严重",
    open_alerts: "未解除告警", live: "实时", waiting: "正在连接…", lost: "连接中断，正在重试", closed: "查看需要令牌",
    new_case: "新案件", leaf: "案件细类", unclassified: "尚未分类", town: "街镇", scene: "场景",
    cleared_at: "解除时间", show: "查看案件", said: "已提交，管道处理后告警状态即更新。",
    what_opened: "立案", what_alert_raised: "再次告警", what_alert_changed: "告警变化",
    what_alert_acknowledged: "告警已确认", what_alert_stale: "数据源失联", what_alert_refreshed: "数据源恢复",
    what_alert_cleared: "告警解除", what_judged: "已评定", verdict_true: "属实", verdict_false: "误报", verdict_duplicate: "重复",
    verdict_not_ours: "非管辖", verdict_maintenance: "检修",
    covers: "抑制与检修", cover_profile: "预案启用", cover_maintenance: "检修", cover_over: "已结束", cover_kept: "当前被拦下",
    more_hidden: "另有更多被拦下的告警，详见抑制台账。",
    failed: "操作未成功", problem_away: "服务无响应", problem_unauthorized: "需要令牌，或令牌不正确：请点“访问”",
    problem_not_found: "已不存在", problem_not_active: "他人已先处理：告警已确认或已解除",
    problem_invalid_parameter: "填写内容无法接受", problem_busy: "服务繁忙，请稍后再试",
    problem_unavailable: "服务暂时无法访问数据库，请稍后再试", problem_internal: "服务内部出错，详见日志",
  },
};

// The words of which the limit of a scene is made; one that has others stays as it is.
const limits = {
  above: "高于", below: "低于", outside: "超出", inside: "落入", equals: "等于", not_equals: "不等于", state: "状态为", true: "是", false: "否",
  mean_above: "均值高于", mean_below: "均值低于", sum_above: "累计高于", sum_below: "累计低于", max_above: "最大值高于", min_below: "最小值低于",
  leq_above: "等效声级高于", absent_for: "无数据达", stuck_for: "数值不变达", over: "时段", for: "持续", samples: "次读数", table: "限值表",
};
const plain = /^[\d.,:[\]%+-]+(?:ms|min|[smhd])?$/;

export function limitWords(text) {
  if (language === "en") return text.replaceAll("_", " ");
  const parts = text.split(" ");
  return parts.every((part) => part in limits || plain.test(part)) ? parts.map((part) => limits[part] ?? part).join(" ") : text;
}

const kept = localStorage.getItem("language");
let language = kept in words ? kept : navigator.language.startsWith("zh") ? "zh" : "en";

export const current = () => language;
export const word = (key) => words[language][key] ?? key;

export function switchLanguage() {
  language = language === "en" ? "zh" : "en";
  localStorage.setItem("language", language);
}

export function translate(root) {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const element of root.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word);
}
