// What the page says, in its languages.

export const WORDS = {
  en: {
    model: "Model", beside: "beside", none: "no other", token: "This service needs a token", use: "Use it",
    history: "History", search: "Search a title and add it", found: "Found", nothing: "Nothing found",
    order: "Oldest first. Alt + ↑ ↓ moves an item, Delete removes it.", empty: "Nothing yet: the list holds popular items.",
    user: "Or read a known user's history", read: "Read", clear: "Clear", close: "Close",
    list: (model) => `List of ${model}`, similarTo: (title) => `Similar to ${title}`, noSimilar: "This model cannot say what is similar.",
    up: (title) => `Move ${title} up`, down: (title) => `Move ${title} down`, remove: (title) => `Remove ${title}`,
    add: (title) => `Add ${title} to the history`, addShort: "Add", similar: (title) => `Items similar to ${title}`, similarShort: "Similar",
    because: "for it:", fresh: "new in the list since the last change", both: "in both lists",
    newest: (title) => `Marks: what ${title}, the newest, changed.`, entered: "new", rose: (n) => `up ${n}`, fell: (n) => `down ${n}`, same: "same place",
    left: "The newest moved out of the list:", popular: "No history: the most popular items.",
    unordered: "No history, and the model does not know what is popular: this order means little.",
    unknown: (n) => `${n} items are unknown to the model and left out.`, noUser: (user) => `User ${user} has no history here.`,
    changed: (n, best) => `${n} new in the list; first is ${best}.`, full: (n) => `A history takes ${n} items here.`,
    down_: "The service does not answer.", short: "No item is left to recommend.", failed: (sentence) => sentence,
  },
  zh: {
    model: "模型", beside: "对比", none: "不对比", token: "此服务需要令牌", use: "使用",
    history: "历史", search: "搜索标题并加入", found: "搜索结果", nothing: "没有找到",
    order: "最早的在前。Alt + ↑ ↓ 移动，Delete 删除。", empty: "还没有历史：列表是热门物品。",
    user: "或读取已有用户的历史", read: "读取", clear: "清空", close: "关闭",
    list: (model) => `${model} 的列表`, similarTo: (title) => `与《${title}》相似`, noSimilar: "此模型不能给出相似物品。",
    up: (title) => `上移 ${title}`, down: (title) => `下移 ${title}`, remove: (title) => `删除 ${title}`,
    add: (title) => `把 ${title} 加入历史`, addShort: "加入", similar: (title) => `与 ${title} 相似的物品`, similarShort: "相似",
    because: "依据：", fresh: "上次改动后新进入列表", both: "两个列表都有",
    newest: (title) => `标记：最新的《${title}》改变了什么。`, entered: "新", rose: (n) => `升 ${n}`, fell: (n) => `降 ${n}`, same: "不变",
    left: "被最新一项挤出列表的：", popular: "没有历史：以下是热门物品。",
    unordered: "没有历史，模型也不知道什么热门：此顺序意义不大。",
    unknown: (n) => `模型不认识其中 ${n} 个物品，已略过。`, noUser: (user) => `用户 ${user} 在此没有历史。`,
    changed: (n, best) => `列表中有 ${n} 个新物品；第一个是 ${best}。`, full: (n) => `这里的历史最多 ${n} 个物品。`,
    down_: "服务没有应答。", short: "没有可推荐的物品了。", failed: (sentence) => sentence,
  },
};

export function usualLanguage() {
  return (navigator.language || "en").toLowerCase().startsWith("zh") ? "zh" : "en";
}
