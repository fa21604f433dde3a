#!/usr/bin/env bash
# Feeds tools/count_tests.sh event files and test results as Bazel 4.2.3 and
# GoogleTest 1.12 write them (shortened), and compares its last line and exit code.
set -euo pipefail

count_tests=$PWD/tools/count_tests.sh
cd "$TEST_TMPDIR"
failures=0

# expect NAME BAZEL_EXIT WANTED_LINE WANTED_EXIT < events
expect() {
  local got exit_code=0
  cat >events.json
  got=$("$count_tests" events.json "$2" | tail -n 1) || exit_code=$?
  if [ "$got" != "$3" ] || [ "$exit_code" -ne "$4" ]; then
    echo "$1: got '$got', exit code $exit_code, want '$3', $4"
    failures=$((failures + 1))
  fi
}

# configured LABEL: the event of a test target that was analysed.
configured() {
  echo '{"id":{"targetConfigured":{"label":"'"$1"'"}},"children":[],"configured":{"targetKind":"cc_test rule","testSize":"MEDIUM"}}'
}

# result LABEL STATUS XML [SHARD [ATTEMPT]]: the event of a test that ran.
result() {
  echo '{"id":{"testResult":{"label":"'"$1"'","run":1,"shard":'"${4:-1}"',"attempt":'"${5:-1}"',"configuration":{"id":"06"}}},"testResult":{"testActionOutput":[{"name":"test.log","uri":"file:///nowhere/test.log"},{"name":"test.xml","uri":"file://'"$PWD/$3"'"}],"testAttemptDurationMillis":"14","status":"'"$2"'","executionInfo":{"strategy":"local"}}}'
}

cat >five.xml <<'XML'
<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="5" failures="0" disabled="0" errors="0" time="0" name="AllTests">
  <testsuite name="One" tests="2" failures="0" disabled="0" skipped="0" errors="0" time="0">
    <testcase name="A" status="run" result="completed" time="0" classname="One" />
    <testcase name="B" status="run" result="completed" time="0" classname="One" />
  </testsuite>
  <testsuite name="Two" tests="3" failures="0" disabled="0" skipped="0" errors="0" time="0">
    <testcase name="C" status="run" result="completed" time="0" classname="Two" />
  </testsuite>
</testsuites>
XML

# One failure whose message holds tags, one skipped, one disabled.
cat >mixed.xml <<'XML'
<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="4" failures="1" disabled="1" errors="0" time="0" name="AllTests">
  <testsuite name="A" tests="4" failures="1" disabled="1" skipped="1" errors="0" time="0">
    <testcase name="Fails" status="run" result="completed" time="0" classname="A">
      <failure message="&lt;testsuite tests=&quot;7&quot;" type=""><![CDATA[a_test.cc:3
<testsuite name="x" tests="7" failures="7">
]]>]]&gt;<![CDATA[ <testsuite tests="9" errors="9" ]]></failure>
    </testcase>
    <testcase name="DISABLED_Off" status="notrun" result="suppressed" time="0" classname="A" />
  </testsuite>
</testsuites>
XML

# What Bazel writes for a test that writes nothing itself.
cat >shell_passed.xml <<'XML'
<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="t/ok_test" tests="1" failures="0" errors="0">
    <testcase name="t/ok_test" status="run" duration="0" time="0"></testcase>
      <system-out>
<![CDATA[<testsuite name="printed" tests="3" failures="3" errors="0">]]>
      </system-out>
    </testsuite>
</testsuites>
XML
sed 's/errors="0"/errors="1"/' shell_passed.xml >shell_failed.xml

{ configured //a; configured //b; result //a PASSED five.xml; result //b PASSED shell_passed.xml; } |
  expect "all pass" 0 "6 passed, 0 failed, 0 skipped" 0
{ configured //a; result //a FAILED mixed.xml; } |
  expect "one of each" 3 "1 passed, 1 failed, 2 skipped" 1
{ configured //a; result //a FAILED shell_failed.xml; } |
  expect "shell test failed" 3 "0 passed, 1 failed, 0 skipped" 1
{ configured //a; result //a PASSED five.xml 1; result //a PASSED five.xml 2; } |
  expect "two shards" 0 "10 passed, 0 failed, 0 skipped" 0
{ configured //a; result //a FAILED mixed.xml 1 1; result //a PASSED five.xml 1 2; } |
  expect "the last attempt counts" 0 "5 passed, 0 failed, 0 skipped" 0
{ configured //a; result //a FAILED five.xml; } |
  expect "cases pass but the process fails" 3 "5 passed, 1 failed, 0 skipped" 1
{ configured //a; result //a TIMEOUT missing.xml; } |
  expect "no result file" 3 "0 passed, 1 failed, 0 skipped" 1
{ configured //a; configured //b; result //a PASSED five.xml; } |
  expect "one was not built" 1 "5 passed, 1 failed, 0 skipped" 1
{
  configured //a; configured //b; result //a PASSED five.xml
  echo '{"id":{"targetCompleted":{"label":"//b","configuration":{"id":"06"}}},"aborted":{"reason":"SKIPPED"}}'
} | expect "one is not for this machine" 0 "5 passed, 0 failed, 1 skipped" 0
{ configured //a; result //a PASSED five.xml; } |
  expect "a binary was not built" 1 "5 passed, 1 failed, 0 skipped" 1
expect "nothing ran" 4 "0 passed, 0 failed, 0 skipped" 1 </dev/null
expect "Bazel did not start" 37 "0 passed, 1 failed, 0 skipped" 1 </dev/null

[ "$failures" -eq 0 ]
