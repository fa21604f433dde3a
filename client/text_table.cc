#include "client/text_table.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"

namespace lockstep::client {

std::string FormatTable(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> cells = rows;
  std::vector<size_t> widths;
  for (std::vector<std::string>& row : cells) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (size_t i = 0; i < row.size(); ++i) {
      row[i] = row[i].empty() ? "-" : Printable(row[i]);
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  for (const std::vector<std::string>& row : cells) {
    for (size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(widths[i] - row[i].size() + 3, ' ');
    }
    text += '\n';
  }
  return text;
}

std::string Printable(absl::string_view text) {
  std::string result(text);
  for (size_t i = 0; i < result.size(); ++i) {
    const unsigned char c = result[i];
    const bool control = c < 0x20 || c == 0x7f;
    // U+0080 to U+009F, which some terminals obey: 0xC2 and a byte below 0xA0.
    const bool high_control =
        c == 0xc2 && i + 1 < result.size() && static_cast<unsigned char>(result[i + 1]) < 0xa0;
    if (control || high_control) result[i] = '?';
    if (high_control) result[++i] = '?';
  }
  return result;
}

std::string ShortDuration(absl::Duration duration) {
  if (duration >= absl::Hours(24) * 10000) return "long";
  const int64_t seconds = std::max<int64_t>(0, absl::ToInt64Seconds(duration));
  const int64_t minutes = seconds / 60;
  const int64_t hours = minutes / 60;
  if (hours >= 24) return absl::StrFormat("%dd%02dh", hours / 24, hours % 24);
  if (hours > 0) return absl::StrFormat("%dh%02dm", hours, minutes % 60);
  if (minutes > 0) return absl::StrFormat("%dm%02ds", minutes, seconds % 60);
  return absl::StrFormat("%ds", seconds);
}

std::string ShortCount(double count) {
  if (!std::isfinite(count)) return absl::StrFormat("%g", count);
  const char* unit = "";
  for (const char* next : {"k", "M", "G", "T"}) {
    if (std::abs(count) < 999.5) break;
    count /= 1000;
    unit = next;
  }
  const int decimals = *unit == '\0' || count >= 99.95 ? 0 : count >= 9.995 ? 1 : 2;
  return absl::StrFormat("%.*f%s", decimals, count, unit);
}

std::string Percent(double part) { return absl::StrFormat("%.2f %%", 100 * part); }

std::string Loss(double loss) {
  const double size = std::abs(loss);
  if (size != 0 && (size < 0.001 || size >= 1e6)) return absl::StrFormat("%.3e", loss);
  return absl::StrFormat("%.4f", loss);
}

}  // namespace lockstep::client
