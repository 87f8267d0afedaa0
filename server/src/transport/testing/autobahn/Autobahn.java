// Runs the Autobahn suite's fuzzing client against a server and prints one line per case: NAME BEHAVIOR BEHAVIOR_OF_CLOSE.
// Arguments: url, cases and excluded cases, each a list with commas.

import java.util.Arrays;
import java.util.Map;
import me.normanmaurer.maven.autobahntestsuite.AutobahnTestSuite;
import me.normanmaurer.maven.autobahntestsuite.FuzzingCaseResult;

public class Autobahn {
  public static void main(String[] arguments) throws Exception {
    var cases = Arrays.asList(arguments[1].split(","));
    var excluded = Arrays.asList(arguments[2].split(","));
    for (FuzzingCaseResult result :
        AutobahnTestSuite.runFuzzingClient("wscluster", arguments[0], Map.of("version", 18), cases, excluded)) {
      // The type of the behaviour is not public; its text is.
      Object behavior = result.behavior();
      Object close = result.behaviorClose();
      System.out.println("case " + result.caseName() + " " + behavior + " " + close);
    }
    System.exit(0);
  }
}
